-- dump(now, max_bytes, key...) -> {how many of the keys were looked at, big keys as a list, MessagePack of the others}.
-- An entry: {'c', id, [field, value, ...], first receipt, wait or false, no start or false, unrouted or false,
--   [member, due, ...]} a call with its places, whole as at one moment;
-- {type, key, value or [value, ...], when it expires in ms or 0} any other key.
-- A collection of more than BIG values is not read here: `dump_part` reads it in parts.
local now, room = now_ms(), tonumber(ARGV[2])
local BIG, MANY = 1000, 5000
local D, COLON, QUEUED, RETRYING = 100, 58, 113, 114 -- d : q r

local calls, dues = {}, {} -- the calls of this slice; by destination the members that may be due, and where each belongs

local function call_entry(key)
  local id = string.sub(key, 6)
  local fields = redis.pcall('HGETALL', key)
  if fields.err then return false end -- a foreign key in the place of a call
  if #fields == 0 then return nil end
  local due = {}
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    room = room - #name - #value
    local first, second, state = string.byte(name, 1), string.byte(name, 2), string.byte(value, 1)
    if first == D and second == COLON and (state == QUEUED or state == RETRYING) then
      local dest, action = string.match(name, '^d:([^:]*):([^:]*)$')
      if dest then
        local of = dues[dest]
        if not of then
          of = { members = {}, marks = {}, lists = {} }
          dues[dest] = of
        end
        local at = #of.members + 1
        of.members[at], of.marks[at], of.lists[at] = id .. ':' .. action, dest .. ':' .. action, due
      end
    end
  end
  local entry = { 'c', id, fields, false, false, false, false, due }
  calls[#calls + 1] = entry
  return entry
end

-- What a set says of many members at once: a command for each would take half the time of all of this.
local function scores(set, members, put)
  for from = 1, #members, MANY do
    local found = call('ZMSCORE', set, unpack(members, from, math.min(from + MANY - 1, #members)))
    for i = 1, #found do
      if found[i] then put(from + i - 1, found[i]) end
    end
  end
end

local function place_calls()
  local ids = {}
  for i, entry in ipairs(calls) do ids[i] = entry[2] end
  for n, set in ipairs({ CALLS, WAITS, NO_START, UNROUTED }) do
    scores(set, ids, function(i, at) calls[i][3 + n] = at end)
  end
  for dest, of in pairs(dues) do
    scores(due_key(dest), of.members, function(i, at)
      local due = of.lists[i]
      due[#due + 1], due[#due + 2] = of.marks[i], at
    end)
  end
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
place_calls()
return { looked, big, cmsgpack.pack(entries) }
