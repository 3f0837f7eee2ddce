-- check_calls(now, fix, id...) -> JSON list of {key, fault, fixed}: what is wrong with calls and with their places.
-- Each call and its places are looked at, and mended with fix = 1, in one step, so nothing here is in passing.
local now, fix = now_ms(), ARGV[2] == '1'
local found = {}
local function tell(key, fault, mend)
  if fix and mend then mend() end
  found[#found + 1] = { key, fault, fix and mend ~= nil }
end

local function add(set, score, member)
  return function() call('ZADD', set, int(score), member) end
end

local function take_off(set, member)
  return function() call('ZREM', set, member) end
end

-- An open delivery is due, leased, in a line, waiting for its create, or set aside.
local function check_open(id, dest, action, d, fields)
  local member, key = id .. ':' .. action, id .. ':' .. dest .. ':' .. action
  if call('ZSCORE', SHELF, key) then
    if fix then try_again(key, now) end
    if call('ZSCORE', SHELF, key) then return tell(key, 'set_aside') end
  end
  if d.state == 'f' then
    if not call('ZSCORE', LEASES, key) then
      tell(key, 'leased_nowhere', add(LEASES, now, key)) -- ends at the next tick, as after a kill
    end
    return
  end
  if is_waiting(fields['w:' .. dest], action) then
    local create = read_delivery(fields[field_of(dest, 'create')])
    if create and FINAL[create.state] then
      tell(key, 'waits_for_what_is_final', function() release_followers(id, dest, now) end)
    end
    return
  end
  if call('ZSCORE', due_key(dest), member) then return end
  if d.group ~= '' and call('LPOS', parked_key(dest, d.group), member) then return end
  tell(key, 'due_nowhere', add(due_key(dest), math.min(d.at, now), member))
end

local function check_final(id, dest, action, d)
  local member, key = id .. ':' .. action, id .. ':' .. dest .. ':' .. action
  local listed = call('ZSCORE', dead_key(dest), member)
  if d.state == 'X' and not listed then
    tell(key, 'dead_but_not_listed', add(dead_key(dest), d.at, member))
  elseif d.state ~= 'X' and listed then
    tell(key, 'listed_but_not_dead', take_off(dead_key(dest), member))
  end
end

local function check_call(id)
  local key = call_key(id)
  local kind = call('TYPE', key).ok
  if kind == 'none' then return end
  if kind ~= 'hash' then return tell(id, 'not_a_call') end
  local flat, fields, deliveries = call('HGETALL', key), {}, 0
  for i = 1, #flat, 2 do
    fields[flat[i]] = flat[i + 1]
    if string.sub(flat[i], 1, 2) == 'd:' then deliveries = deliveries + 1 end
  end
  if not fields.n then
    return tell(id, 'without_events', deliveries == 0 and function() call('DEL', key) end or nil)
  end
  for i = 1, tonumber(fields.n) do
    if not fields['e' .. i] then tell(id, 'event_missing') end
  end
  if not call('ZSCORE', CALLS, id) then
    local received = tonumber(string.match(fields.e1 or '', '^(%d+)') or '0') / 1000
    tell(id, 'call_not_listed', add(CALLS, received > 0 and received or now, id))
  end
  local state = fields.st or 'w'
  local unplanned = tonumber(fields.pn or '0') ~= fields.n + (fields.xn or 0) or state == 'w'
  if call('ZSCORE', SHELF, plan_key(id)) then
    if fix then try_again(plan_key(id), now) end
    tell(plan_key(id), 'set_aside')
  elseif unplanned and not call('ZSCORE', WAITS, id) then
    tell(id, 'waits_nowhere', add(WAITS, now, id))
  end
  if state == 'u' and not call('ZSCORE', UNROUTED, id) then
    tell(id, 'unrouted_but_not_listed', add(UNROUTED, tonumber(fields.f or now), id))
  end
  local open, unreadable = 0, false
  for name, value in pairs(fields) do
    local dest, action = string.match(name, '^d:([^:]*):([^:]*)$')
    if dest then
      local d = read_delivery(value)
      if call('SISMEMBER', DESTS, dest) == 0 then
        tell(id .. ':' .. dest .. ':' .. action, 'destination_not_listed', function() call('SADD', DESTS, dest) end)
      end
      if not d then
        unreadable = true
        local whole = id .. ':' .. dest .. ':' .. action
        if call('ZSCORE', SHELF, whole) then
          tell(whole, 'set_aside')
        else
          tell(whole, 'unreadable', function() set_aside(whole, 'header', now) end)
        end
      elseif FINAL[d.state] then
        check_final(id, dest, action, d)
      else
        open = open + 1
        check_open(id, dest, action, d, fields)
      end
    end
  end
  if not unreadable and tonumber(fields.o or '0') ~= open then
    tell(id, 'open_miscounted', function()
      call('HSET', key, 'o', open)
      if open == 0 then call('HSET', key, 'f', int(now)) end
    end)
  end
end

for i = 3, #ARGV do check_call(ARGV[i]) end
return #found > 0 and cjson.encode(found) or '[]'
