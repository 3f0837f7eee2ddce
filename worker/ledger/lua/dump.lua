-- dump(now, max_bytes, key...) -> {how many of the keys were looked at, big keys as a list, MessagePack of the others}.
-- An entry: {'c', id, [field, value, ...], first receipt, wait or false, no start or false, unrouted or false,
--   [member, due, ...]} a call with its places, whole as at one moment;
-- {type, key, value or [value, ...], when it expires in ms or 0} any other key.
-- A collection of more than BIG values is not read here: `dump_part` reads it in parts.
local now, room = now_ms(), tonumber(ARGV[2])
local BIG = 1000

local function score(set, member)
  local found = call('ZSCORE', set, member)
  return found or false
end

local function call_entry(key)
  local id = string.sub(key, 6)
  local fields = redis.pcall('HGETALL', key)
  if fields.err then return false end -- a foreign key in the place of a call
  if #fields == 0 then return nil end
  local due = {}
  for i = 1, #fields, 2 do
    room = room - #fields[i] - #fields[i + 1]
    local dest, action = string.match(fields[i], '^d:([^:]*):([^:]*)$')
    if dest then
      local state = string.sub(fields[i + 1], 1, 1)
      if state == 'q' or state == 'r' then
        local at = call('ZSCORE', due_key(dest), id .. ':' .. action)
        if at then due[#due + 1], due[#due + 2] = dest .. ':' .. action, at end
      end
    end
  end
  return { 'c', id, fields, score(CALLS, id), score(WAITS, id), score(NO_START, id), score(UNROUTED, id), due }
end

local SIZES = { hash = 'HLEN', zset = 'ZCARD', set = 'SCARD', list = 'LLEN' }
local READS = { hash = { 'HGETALL' }, zset = { 'ZRANGE', 0, -1, 'WITHSCORES' }, set = { 'SMEMBERS' }, list = { 'LRANGE', 0, -1 } }

local big = {}
local function other_entry(key)
  local kind = call('TYPE', key).ok
  if kind == 'none' then return nil end
  local left = call('PTTL', key)
  local expires = left > 0 and int(now + left) or 0
  if kind == 'string' then
    local value = call('GET', key)
    room = room - #key - #value
    return { kind, key, value, expires }
  end
  if not SIZES[kind] or call(SIZES[kind], key) > BIG then
    big[#big + 1] = key
    return nil
  end
  local read = READS[kind]
  local values = call(read[1], key, unpack(read, 2))
  for _, value in ipairs(values) do room = room - #value end
  return { kind, key, values, expires }
end

local entries, looked = {}, 0
for i = 3, #ARGV do
  if room <= 0 then break end
  local key = ARGV[i]
  local entry = false
  if string.sub(key, 1, 5) == 'sb:c:' then entry = call_entry(key) end
  if entry == false then entry = other_entry(key) end
  entries[#entries + 1] = entry
  looked = looked + 1
end
return { looked, big, cmsgpack.pack(entries) }
