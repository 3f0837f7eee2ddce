-- restore(now, memory_ms, number_outcome, merging, MessagePack of entries as `dump` makes them) -> {calls written, calls left as
-- they are, other keys written, deliveries of which nobody knows whether they landed since}.
-- The places of a call's deliveries are made of the deliveries. What was not final may have landed since: its caller is
-- in doubt, so that a vendor which knows no duplicates is asked first. The index is left to be filled again. What stands
-- there already stays; with merging = 1 the figures too, whose names are numbered anew in each ledger.
local now, memory_ms, outcome = now_ms(), tonumber(ARGV[2]), ARGV[3]
local SLICE = 1000
local calls, kept, others, doubtful = 0, 0, 0, 0

local function write(command, key, values)
  for i = 1, #values, SLICE do call(command, key, unpack(values, i, math.min(i + SLICE - 1, #values))) end
end

local function place(id, dest, action, value, due, waiting)
  local member, key = id .. ':' .. action, id .. ':' .. dest .. ':' .. action
  call('SADD', DESTS, dest)
  local d = read_delivery(value)
  if not d then
    set_aside(key, 'header', now)
  elseif d.state == 'X' then
    call('ZADD', dead_key(dest), int(d.at), member)
  elseif not FINAL[d.state] then
    doubtful = doubtful + 1
    if d.group ~= '' then doubt(dest, d.group, memory_ms) end
    if d.state == 'f' then
      call('ZADD', LEASES, int(d.at), key)
      if d.group ~= '' then call('HSET', holders_key(dest), d.group, member) end
    elseif not string.find(' ' .. (waiting or '') .. ' ', ' ' .. action .. ' ', 1, true) then
      call('ZADD', due_key(dest), int(due or math.min(d.at, now)), member)
    end
  end
end

local function restore_call(entry)
  local id, fields = entry[2], entry[3]
  local key = call_key(id)
  if call('HEXISTS', key, 'n') == 1 then kept = kept + 1 return end
  write('HSET', key, fields)
  call('HDEL', key, 'ix')
  local h = call('HMGET', key, 'n', 'xn', 'pn', 'st')
  -- What no plan had seen may have been planned and delivered since: the callers of what is made of it are in doubt too.
  if tonumber(h[3] or '0') ~= h[1] + (h[2] or 0) or h[4] == 'w' then call('HSET', key, 'jr', 1) end
  local due, waiting = {}, {}
  for i = 1, #entry[8], 2 do due[entry[8][i]] = tonumber(entry[8][i + 1]) end
  for i = 1, #fields, 2 do
    local dest = string.match(fields[i], '^w:(.*)$')
    if dest then waiting[dest] = fields[i + 1] end
  end
  for i = 1, #fields, 2 do
    local dest, action = string.match(fields[i], '^d:([^:]*):([^:]*)$')
    if dest then place(id, dest, action, fields[i + 1], due[dest .. ':' .. action], waiting[dest]) end
  end
  call('ZADD', CALLS, entry[4] or int(now), id)
  for i, set in ipairs({ WAITS, NO_START, UNROUTED }) do
    if entry[4 + i] then call('ZADD', set, entry[4 + i], id) end
  end
  calls = calls + 1
end

-- Of two memories that which stands already, a doubt too, and what it lacks.
local function together(before, value)
  local memory = cjson.decode(before)
  for name, said in pairs(cjson.decode(value)) do
    if memory[name] == nil then memory[name] = said end
  end
  return cjson.encode(memory)
end

local function restore_string(key, value)
  local before = call('GET', key)
  if not before then
    call('SET', key, value)
  elseif string.sub(key, 1, 8) == 'sb:memo:' then
    call('SET', key, together(before, value))
  end
end

local FIGURES = { facets = true, hours = true, minutes = true }
local function restore_other(entry)
  local kind, key, value, expires = entry[1], entry[2], entry[3], tonumber(entry[4])
  if expires > 0 and expires <= now then return end
  if ARGV[4] == '1' and FIGURES[string.match(key, '^sb:(%a+)')] then return end
  if kind == 'string' then
    restore_string(key, value)
  elseif kind == 'zset' then
    for i = 1, #value, 2 do call('ZADD', key, 'NX', value[i + 1], value[i]) end
  elseif kind == 'hash' then
    for i = 1, #value, 2 do call('HSETNX', key, value[i], value[i + 1]) end
  else
    write(kind == 'set' and 'SADD' or 'RPUSH', key, value)
  end
  if string.sub(key, 1, 10) == 'sb:number:' then
    local h = call('HMGET', key, 'state', 'kind')
    -- It may have been sent since: what costs money is not sent again by itself.
    if (h[1] == 'waiting' or h[1] == 'in_flight') and h[2] ~= 'search' then
      call('HSET', key, 'state', 'unknown', 'outcome', outcome, 'settled', int(now))
    end
  end
  if expires > 0 then call('PEXPIREAT', key, int(expires)) end
  others = others + 1
end

for _, entry in ipairs(cmsgpack.unpack(ARGV[5])) do
  if entry[1] == 'c' then restore_call(entry) else restore_other(entry) end
end
return { calls, kept, others, doubtful }
