-- What every script shares: the keys, the time, and the header of a delivery.
-- A delivery is one field of its call's hash: `state|fence|number|step|at|group|reason` and, on the next lines, the
-- worker's own log. Only the header is read here; the log is replaced whole by whoever holds the claim.
local call = redis.call

local function now_ms()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local t = call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function int(x) return string.format('%.0f', x) end
local function call_key(id) return 'sb:c:' .. id end
local function due_key(dest) return 'sb:due:' .. dest end
local function gate_key(dest) return 'sb:gate:' .. dest end
local function wake_key(dest) return 'sb:wake:' .. dest end
local function dead_key(dest) return 'sb:dead:' .. dest end
local function holders_key(dest) return 'sb:hold:' .. dest end
local function parked_key(dest, group) return 'sb:park:' .. dest .. ':' .. group end
local function memory_key(dest, group) return 'sb:memo:' .. dest .. ':' .. group end
local function remembered_key(id) return 'sb:m:' .. id end
local CALLS, WAITS, LEASES, DESTS = 'sb:calls', 'sb:waits', 'sb:leases', 'sb:dests'
local NO_START, UNROUTED, WAKE_CALLS, PATIENCE = 'sb:nostart', 'sb:unrouted', 'sb:wakecalls', 'sb:patience'
local FINAL = { D = true, X = true, S = true, C = true }
local KNOWN = { q = true, f = true, r = true, D = true, X = true, S = true, C = true }

local function field_of(dest, action) return 'd:' .. dest .. ':' .. action end
local function split_member(member) return string.match(member, '^(.*):([^:]*)$') end
local function split_key(key) return string.match(key, '^(.*):([^:]*):([^:]*)$') end

-- The places, of those from `from` to `to`, whose keys exist: EXISTS counts many keys at once, so that a thousand that are
-- not there cost one command.
local function existing(keys, from, to, found)
  if from > to then return found end
  local count = call('EXISTS', unpack(keys, from, to))
  if count == to - from + 1 then
    for place = from, to do found[#found + 1] = place end
  elseif count > 0 then
    local middle = math.floor((from + to) / 2)
    existing(keys, from, middle, found)
    existing(keys, middle + 1, to, found)
  end
  return found
end

local MOST_KEYS = 1000 -- of one command

local function all_existing(keys)
  local found = {}
  for from = 1, #keys, MOST_KEYS do existing(keys, from, math.min(from + MOST_KEYS - 1, #keys), found) end
  return found
end

-- A header of another form, or with another state, is of a later version: nil, as where there is none.
local function read_delivery(value)
  if not value then return nil end
  local state, fence, number, step, at, group, reason, log =
    string.match(value, '^(%a)|(%d+)|(%d+)|(%d+)|(%d+)|([^|]*)|([^\n]*)\n(.*)$')
  if not KNOWN[state] then return nil end
  return { state = state, fence = tonumber(fence), number = tonumber(number), step = tonumber(step),
           at = tonumber(at), group = group, reason = reason, log = log }
end

local function written(d)
  return d.state .. '|' .. d.fence .. '|' .. d.number .. '|' .. d.step .. '|' .. int(d.at) .. '|' .. d.group
    .. '|' .. d.reason .. '\n' .. d.log
end

local function write_delivery(id, dest, action, d)
  call('HSET', call_key(id), field_of(dest, action), written(d))
end

-- What this version cannot read stays as it is, and stands on a shelf by its key until it is looked at again: a minute
-- later, at most an hour. So it holds up no other, and a later version finds it. A call that cannot be planned stands
-- there as `{id}:calls:plan`. Beside it stands since when, how often, and which part cannot be read.
local SHELF, SHELF_WHY = 'sb:shelf', 'sb:shelfwhy'
local SHELF_MS, SHELF_MAX_MS = 60000, 3600000

local function plan_key(id) return id .. ':calls:plan' end

local function set_aside(key, why, now)
  local since, rounds = string.match(call('HGET', SHELF_WHY, key) or '', '^(%d+) (%d+) ')
  rounds = tonumber(rounds or '0')
  call('ZADD', SHELF, int(now + math.min(SHELF_MS * 2 ^ math.min(rounds, 10), SHELF_MAX_MS)), key)
  call('HSET', SHELF_WHY, key, (since or int(now)) .. ' ' .. int(rounds + 1) .. ' ' .. why)
end

local function take_off_shelf(key)
  call('ZREM', SHELF, key)
  call('HDEL', SHELF_WHY, key)
end

-- Deliveries of one group (one caller at one Kapture account) run one at a time. While nobody of a group is under way,
-- the next one in its line is due. Returns whether there was one.
local function promote_group(dest, group, now)
  if call('HEXISTS', holders_key(dest), group) == 1 then return false end
  while true do
    local member = call('LPOP', parked_key(dest, group))
    if not member then return false end
    local id, action = split_member(member)
    local value = call('HGET', call_key(id), field_of(dest, action))
    local d = read_delivery(value)
    if value and not d then
      set_aside(id .. ':' .. dest .. ':' .. action, 'header', now)
    elseif d and not FINAL[d.state] then
      -- Since when it was due: so it comes before those of its group that became due after it.
      call('ZADD', due_key(dest), int(math.min(d.at, now)), member)
      return true
    end
  end
end

-- Something was sent for a caller of which nobody knows whether it landed: that is remembered beside what is known.
local function doubt(dest, group, memory_ms)
  if group == '' then return end
  local known = call('GET', memory_key(dest, group))
  local memory = known and cjson.decode(known) or {}
  memory.unsure = '1'
  call('SET', memory_key(dest, group), cjson.encode(memory), 'PX', memory_ms)
end

local function release_group(dest, group, member, now)
  if group == '' then return false end
  if call('HGET', holders_key(dest), group) ~= member then return false end
  call('HDEL', holders_key(dest), group)
  return promote_group(dest, group, now)
end

-- Why a destination is not served, by the first three fields of its gate: paused, blocked, open; nil: it is served.
local function why_held(gate)
  return (gate[1] and 'paused') or (gate[2] and 'blocked') or (gate[3] and 'open') or nil
end

-- Whether the probe of a blocked destination, or of one whose circuit is open, must still wait.
local function probe_waits(probe_at, now)
  return probe_at == 'never' or tonumber(probe_at) > now
end

-- A destination that is not served: what becomes due there is found when it opens, or by a probe.
local function is_held(dest)
  return why_held(call('HMGET', gate_key(dest), 'paused', 'blocked', 'open'))
end

local function close_call(id, now)
  local open = call('HINCRBY', call_key(id), 'o', -1)
  if open <= 0 then call('HSET', call_key(id), 'f', int(now)) end
end

local function wait_for_create(id, dest, action)
  local waiting = call('HGET', call_key(id), 'w:' .. dest)
  call('HSET', call_key(id), 'w:' .. dest, waiting and (waiting .. ' ' .. action) or action)
end

-- What waits for a create (an update, a withdrawal) becomes due when the create is final.
local function release_followers(id, dest, now)
  local waiting = call('HGET', call_key(id), 'w:' .. dest)
  if not waiting then return end
  call('HDEL', call_key(id), 'w:' .. dest)
  for action in string.gmatch(waiting, '%S+') do
    call('ZADD', due_key(dest), int(now), id .. ':' .. action)
  end
end

local function is_waiting(words, action)
  return string.find(' ' .. (words or '') .. ' ', ' ' .. action .. ' ', 1, true) ~= nil
end

-- Puts what stands on the shelf back to its place, where it can be read by now.
local function try_again(key, now)
  local id, dest, action = split_key(key)
  if dest == 'calls' then
    call('ZREM', SHELF, key)
    if call('EXISTS', call_key(id)) == 1 then call('ZADD', WAITS, int(now), id) end
    return
  end
  local value = id and call('HGET', call_key(id), field_of(dest, action))
  local d = read_delivery(value)
  if value and not d then return set_aside(key, 'header', now) end
  if not d or FINAL[d.state] then return take_off_shelf(key) end
  call('ZREM', SHELF, key)
  if d.state == 'f' then
    call('ZADD', LEASES, int(d.at), key)
  elseif not is_waiting(call('HGET', call_key(id), 'w:' .. dest), action) then
    call('ZADD', due_key(dest), int(d.at), id .. ':' .. action)
  end
end

local function each_delivery(id, visit)
  for _, name in ipairs(call('HKEYS', call_key(id))) do
    local dest, action = string.match(name, '^d:([^:]*):([^:]*)$')
    if dest then visit(dest, action, read_delivery(call('HGET', call_key(id), name))) end
  end
end

local function has_dead(id)
  local found = false
  each_delivery(id, function(_, _, d) found = found or (d ~= nil and d.state == 'X') end)
  return found
end

local function remove_call(id)
  local now, grouped = now_ms(), {}
  each_delivery(id, function(dest, action, d)
    local member = id .. ':' .. action
    call('ZREM', due_key(dest), member)
    call('ZREM', dead_key(dest), member)
    call('ZREM', LEASES, id .. ':' .. dest .. ':' .. action)
    take_off_shelf(id .. ':' .. dest .. ':' .. action)
    if d and d.group ~= '' then grouped[#grouped + 1] = { dest, d.group, member } end
  end)
  take_off_shelf(plan_key(id))
  call('DEL', call_key(id))
  -- Its place in a line goes to the next one; its other places there hold nothing any more, and are passed over.
  for _, place in ipairs(grouped) do
    release_group(place[1], place[2], place[3], now)
    promote_group(place[1], place[2], now)
  end
  for _, set in ipairs({ CALLS, WAITS, NO_START, UNROUTED }) do call('ZREM', set, id) end
end

-- Quarantine: a sorted set of ids by receipt, a hash of bodies, and their size in bytes.
local QUARANTINE, BODIES, BODY_BYTES = 'sb:quarantine', 'sb:bodies', 'sb:bodybytes'

local function drop_body(id)
  local size = call('HSTRLEN', BODIES, id)
  call('ZREM', QUARANTINE, id)
  if call('HDEL', BODIES, id) == 1 then call('DECRBY', BODY_BYTES, size) end
end

local function trim_quarantine(oldest_ms)
  for _, id in ipairs(call('ZRANGEBYSCORE', QUARANTINE, '-inf', int(oldest_ms), 'LIMIT', 0, 100)) do drop_body(id) end
end

-- What an operator does stands in the audit from the same step on. `text` is JSON of {id, keep, fields}; empty: nobody's
-- doing. An action of many steps has one id, and its steps are counted in one record.
local AUDIT, MOST_AUDITED = 'sb:audit', 50000

local function drop_audited(ids)
  for _, id in ipairs(ids) do
    call('ZREM', AUDIT, id)
    call('DEL', 'sb:a:' .. id)
  end
end

local function audit(text, count)
  if text == '' or count == 0 then return end
  local action, now = cjson.decode(text), now_ms()
  local key = 'sb:a:' .. action.id
  if call('ZADD', AUDIT, 'NX', int(now), action.id) == 1 then
    call('HSET', key, 'at', int(now), unpack(action.fields))
    call('PEXPIRE', key, int(action.keep))
    drop_audited(call('ZRANGEBYSCORE', AUDIT, '-inf', int(now - action.keep), 'LIMIT', 0, 100))
    local beyond = call('ZCARD', AUDIT) - MOST_AUDITED
    if beyond > 0 then drop_audited(call('ZRANGE', AUDIT, 0, math.min(beyond, 100) - 1)) end
  end
  call('HINCRBY', key, 'n', int(count))
end

local function count_of(answers)
  local count = 0
  for _, answer in ipairs(answers) do count = count + (answer == 1 and 1 or 0) end
  return count
end
