-- accept(now, grace_ms, [id, received_us, record]...) -> one letter an item: N new, S same, R remembered, F failed.
local now = now_ms()
local wait_until = int(now + tonumber(ARGV[2]))
local MAX_EVENTS = 200 -- of one call; what comes beyond is folded into the latest event of its kind, if there is one

local function fold(key, n, received, record)
  for i = n, 1, -1 do
    local stored_at, kind, values = string.match(call('HGET', key, 'e' .. i), '^(%d+) (%a)(.*)$')
    if kind == string.sub(record, 1, 1) then
      -- Both are microseconds of the same length, so they compare as text.
      local older, newer = cjson.decode(values), cjson.decode(string.sub(record, 2))
      if received < stored_at then older, newer, received = newer, older, stored_at end
      for name, value in pairs(newer) do older[name] = value end
      call('HSET', key, 'e' .. i, received .. ' ' .. kind .. cjson.encode(older))
      return true
    end
  end
  return false
end

local function accept(id, received, record)
  local key = call_key(id)
  local head = call('HMGET', key, 'n', 'e1') -- an event is nearly always the first or the second of its call
  local n = tonumber(head[1] or '0')
  if n == 0 then
    if call('EXISTS', remembered_key(id)) == 1 then return 'R' end
    call('ZADD', CALLS, int(now), id)
  else
    local stored = { head[2] }
    for i = 2, n do stored[i] = call('HGET', key, 'e' .. i) end
    for i = 1, n do
      if string.sub(stored[i], string.find(stored[i], ' ', 1, true) + 1) == record then return 'S' end
    end
  end
  call('ZADD', WAITS, wait_until, id)
  if n >= MAX_EVENTS and fold(key, n, received, record) then return 'N' end
  call('HSET', key, 'n', n + 1, 'e' .. (n + 1), received .. ' ' .. record)
  return 'N'
end

local answers = {}
for i = 3, #ARGV, 3 do
  local ok, answer = pcall(accept, ARGV[i], ARGV[i + 1], ARGV[i + 2])
  if not ok then
    local text = type(answer) == 'table' and answer.err or tostring(answer)
    -- A key of the wrong type spoils its own item; memory, replica and disk faults refuse the whole group.
    if not string.find(text, 'WRONGTYPE', 1, true) then return redis.error_reply(text) end
    answer = 'F'
  end
  answers[#answers + 1] = answer
end
return answers
