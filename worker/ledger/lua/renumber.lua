-- renumber(now, apply, [dest, old group, new group, old caller, new caller]...) -> how many of them stand, or stood,
-- under the old reading of a number. What is remembered of a caller, its follow-up and the deliveries of its line go
-- under the present one; of two memories the present one's stands, and a doubt of either.
local now, apply = now_ms(), ARGV[2] == '1'

local function move_memory(dest, old, new)
  local from, to = memory_key(dest, old), memory_key(dest, new)
  local value = call('GET', from)
  if not value then return false end
  if apply then
    local known = call('GET', to)
    if known then
      local memory = cjson.decode(known)
      for name, said in pairs(cjson.decode(value)) do
        if memory[name] == nil then memory[name] = said end
      end
      local left = call('PTTL', to)
      call('SET', to, cjson.encode(memory))
      if left > 0 then call('PEXPIRE', to, left) end
      call('DEL', from)
    else
      call('RENAME', from, to)
    end
  end
  return true
end

local function move_follow_up(dest, old, new)
  local from, to = 'sb:follow:' .. dest .. ':' .. old, 'sb:follow:' .. dest .. ':' .. new
  if call('EXISTS', from) == 0 then return false end
  if apply then
    local left = math.max(call('PTTL', from), call('PTTL', to))
    call('ZUNIONSTORE', to, 2, to, from, 'AGGREGATE', 'MIN')
    if left > 0 then call('PEXPIRE', to, int(left)) end
    call('DEL', from)
  end
  return true
end

local found = 0
for i = 3, #ARGV, 5 do
  local dest, old, new = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  -- While one of the line is under way it writes its memory under the old reading: another run takes it.
  local busy = call('HEXISTS', holders_key(dest), old) == 1 or call('EXISTS', parked_key(dest, old)) == 1
  local moved = not busy and move_memory(dest, old, new)
  local followed = move_follow_up(dest, ARGV[i + 3], ARGV[i + 4])
  if moved or followed or busy then found = found + 1 end
end
return found
