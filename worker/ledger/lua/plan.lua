--@ index figures
-- plan(now, JSON list of {id, n, state, revision, wait_until, routes, deliveries = [[dest, action, group, after], ...],
--   follows = [[dest, caller, started_ms, window_ms, 'a' answered or 'm' missed, marks, [mark asked for, ...]], ...],
--   about = [service id, result's letter, caller's digits, tracking number], where the call is merged,
--   ready = when its last event came that makes it ready, in ms}, action, memory_ms,
--   JSON {destination: [slots, slots while older deliveries are due there, lease_ms], ...} or '')
-- -> {suppressing, now, [destination where older deliveries are due, ...],
--   {[applied, ready_at, [destination, memory, ...], first call, [created key that may be taken now, backlog of its destination], ...], ...}}
-- Applied only when the call still has the n events, folded ones counted, that the plan was made from.
-- A create for whose destination the asking worker keeps a slot is made under way, as `claim` would leave it: number 1,
-- fence 1, a lease, and its caller's line held. It never stands in `due`. Everything else becomes due.
local now = now_ms()
local FOLLOW_SLACK_MS = 7 * 86400000
local rooms = ARGV[5] ~= '' and cjson.decode(ARGV[5]) or {}

-- What is asked once a run for each destination: whether it is held, and how much is due there.
local known, older = {}, {}
local function knowing(dest)
  local k = known[dest]
  if not k then
    k = { held = is_held(dest), backlog = call('ZCARD', due_key(dest)) }
    call('SADD', DESTS, dest)
    known[dest] = k
  end
  return k
end

local function marks_field(dest) return 'fm:' .. dest end

local function new(group)
  return written({ state = 'q', fence = 0, number = 0, step = 0, at = now, group = group, reason = '', log = '' })
end

local function make_due(id, dest, action, after, answer)
  local key = call_key(id)
  local k = knowing(dest)
  local create = after == 'create' and read_delivery(call('HGET', key, field_of(dest, 'create')))
  if create and not FINAL[create.state] then
    wait_for_create(id, dest, action)
  else
    k.backlog = k.backlog + call('ZADD', due_key(dest), int(now), id .. ':' .. action)
    if not k.held then
      answer[#answer + 1] = id .. ':' .. dest .. ':' .. action
      answer[#answer + 1] = k.backlog
    end
  end
end

local function make(id, dest, action, group, after, answer)
  if call('HSETNX', call_key(id), field_of(dest, action), new(group)) == 0 then return end
  call('HINCRBY', call_key(id), 'o', 1)
  make_due(id, dest, action, after, answer)
end

-- How many creates may still be handed over: none where the destination is held, and fewer where older ones are due, so
-- that fresh calls never keep them waiting.
local function room_at(dest)
  local k = knowing(dest)
  if not k.room then
    local room = rooms[dest]
    k.room = room and not k.held and room[1] or 0
    if k.room > 0 and k.backlog > 0 and call('ZCOUNT', due_key(dest), '-inf', int(now)) > 0 then
      k.room = math.min(room[1], room[2])
      older[#older + 1] = dest
    end
  end
  return k
end

local function follow_key(dest, caller) return 'sb:follow:' .. dest .. ':' .. caller end

-- Whether an answered call of the caller is there, or stands in this run, which may cancel the lead unsent.
local answered_here = {}
local function may_be_cancelled(plan, dest)
  for _, follow in ipairs(plan.follows) do
    if follow[1] == dest and follow[5] == 'm' then
      local key, started = follow_key(dest, follow[2]), follow[3]
      if answered_here[key] then return true end
      for _, other in ipairs(call('ZRANGEBYSCORE', key, int(started), int(started + follow[4]))) do
        if string.sub(other, 1, 1) == 'a' then return true end
      end
    end
  end
  return false
end

-- Returns a delivery as a claim leaves it and what is remembered of its caller, where it may be handed over; nil else.
-- One of a caller whose line is held, or in whose line others stand, is not.
local function handed_over(plan, dest, action, group)
  if action ~= 'create' or not rooms[dest] then return nil end
  local k = room_at(dest)
  if k.room <= 0 or may_be_cancelled(plan, dest) then return nil end
  local memory = ''
  if group ~= '' then
    if call('EXISTS', parked_key(dest, group)) == 1 then return nil end
    if call('HSETNX', holders_key(dest), group, plan.id .. ':' .. action) == 0 then return nil end
    memory = call('GET', memory_key(dest, group)) or ''
  end
  k.room = k.room - 1
  local at = now + rooms[dest][3]
  call('ZADD', LEASES, int(at), plan.id .. ':' .. dest .. ':' .. action)
  return written({ state = 'f', fence = 1, number = 1, step = 0, at = at, group = group, reason = '', log = '' }), memory
end

-- The caller got through: a lead not yet sent is cancelled, one under way is withdrawn after it, one of ours is
-- withdrawn now, once a number. A lead whose answer was a duplicate is not ours. The withdrawal of a dead one finds
-- nothing to withdraw, and is made up for when that is replayed. The call keeps the id of the answered one.
-- Returns true when a withdrawal went out.
local function withdraw(id, dest, by, already, answer)
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, 'create')))
  if not d then return already end
  local function keep_cause() call('HSETNX', call_key(id), 'by:' .. dest, by) end
  if d.state == 'q' and d.number == 0 then
    call('ZREM', due_key(dest), id .. ':create')
    keep_cause()
    d.state, d.at, d.reason = 'C', now, 'answered_since'
    write_delivery(id, dest, 'create', d)
    local ix = call('HGET', call_key(id), 'ix')
    local _, _, service = read_place(ix)
    mark_end(ix, dest, 'C', d.reason)
    count_end(facet('d', dest), service, 'C', d.reason)
    close_call(id, now)
    release_followers(id, dest, now)
    if d.group ~= '' then promote_group(dest, d.group, now) end
  elseif d.state == 'q' or d.state == 'f' or d.state == 'r' or d.state == 'X' then
    keep_cause()
    make(id, dest, 'cancel', '', 'create', answer)
  elseif d.state == 'D' and d.reason ~= 'duplicate' and not already then
    keep_cause()
    make(id, dest, 'cancel', '', 'create', answer)
    return true
  end
  return already
end

-- Whether another call of the caller is meant: it has one of the marks asked for. One without marks was planned by a
-- version that wrote none and withdrew whatever the caller had at the destination: it is taken so.
local function is_meant(id, dest, asks)
  if #asks == 0 then return true end
  local marks = call('HGET', call_key(id), marks_field(dest))
  if not marks then return true end
  for _, mark in ipairs(asks) do
    if string.find(marks, mark, 1, true) then return true end
  end
  return false
end

local function follow_up(id, follow, answer)
  local dest, caller, started, window, asks = follow[1], follow[2], follow[3], follow[4], follow[7]
  local key = follow_key(dest, caller)
  call('ZADD', key, int(started), follow[5] .. id)
  call('PEXPIRE', key, int(window + FOLLOW_SLACK_MS))
  if follow[5] == 'm' then
    call('ZREM', key, 'a' .. id) -- corrected: it withdraws nobody any more
    for _, other in ipairs(call('ZRANGEBYSCORE', key, int(started), int(started + window))) do
      local by = string.sub(other, 2)
      if string.sub(other, 1, 1) == 'a' and is_meant(by, dest, asks) then
        return withdraw(id, dest, by, false, answer)
      end
    end
  else
    local already = false
    for _, other in ipairs(call('ZREVRANGEBYSCORE', key, int(started), int(started - window))) do
      local missed = string.sub(other, 2)
      if string.sub(other, 1, 1) == 'm' and is_meant(missed, dest, asks) then
        already = withdraw(missed, dest, id, already, answer)
      end
    end
  end
end

-- A call stands in the list of its state, and leaves it with that state.
local function list(set, state, plan, before)
  if plan.state == state then
    call('ZADD', set, 'NX', int(now), plan.id)
  elseif before == state then
    call('ZREM', set, plan.id)
  end
end

local plans = cjson.decode(ARGV[2])
for _, plan in ipairs(plans) do
  for _, follow in ipairs(plan.follows) do
    if follow[5] == 'a' then answered_here[follow_key(follow[1], follow[2])] = true end
  end
end

local answers = {}
local function apply(plan)
  local key = call_key(plan.id)
  local names = { 'n', 'st', 'o' }
  for i, item in ipairs(plan.deliveries) do names[3 + i] = field_of(item[1], item[2]) end
  names[#names + 1], names[#names + 2], names[#names + 3], names[#names + 4] = 'ra', 'xn', 'jr', 'ix'
  names[#names + 1] = 'fc'
  local stored = call('HMGET', key, unpack(names))
  local answer = { 0, stored[#names - 4] or '', {}, stored[#names] or '' }
  if not stored[1] then
    call('ZREM', WAITS, plan.id)
  elseif stored[1] + (stored[#names - 3] or 0) ~= plan.n then
    call('ZADD', WAITS, int(now), plan.id)
  else
    answer[1] = 1
    if plan.wait_until > 0 then
      call('ZADD', WAITS, int(plan.wait_until), plan.id)
    else
      call('ZREM', WAITS, plan.id)
    end
    list(NO_START, 'x', plan, stored[2])
    list(UNROUTED, 'u', plan, stored[2])
    local fields = { 'st', plan.state, 'rv', plan.revision, 'pn', plan.n, 'rt', plan.routes }
    if stored[2] ~= plan.state then
      fields[#fields + 1], fields[#fields + 2] = 'f', int(now)
      if plan.state == 'r' then
        answer[2] = int(math.min(plan.ready or now, now))
        fields[#fields + 1], fields[#fields + 2] = 'ra', answer[2]
      end
    end
    -- One write for all: 18 us a plan of three deliveries instead of 20.
    local made, due, lost, handed = {}, {}, stored[#names - 2], answer[3]
    for i, item in ipairs(plan.deliveries) do
      if not stored[3 + i] then
        made[#made + 1] = item
        local text, memory
        if not lost then text, memory = handed_over(plan, item[1], item[2], item[3]) end
        if text then
          handed[#handed + 1], handed[#handed + 2] = item[1], memory
        else
          due[#due + 1] = item
        end
        fields[#fields + 1], fields[#fields + 2] = names[3 + i], text or new(item[3])
      end
    end
    for _, follow in ipairs(plan.follows) do
      fields[#fields + 1], fields[#fields + 2] = marks_field(follow[1]), follow[6]
    end
    if plan.about then
      local ix, service, chunk, place = index(plan.id, plan.about, stored[#names - 1], now)
      fields[#fields + 1], fields[#fields + 2] = 'ix', ix
      if not stored[#names] and plan.about[3] ~= '' then
        answer[4] = is_first(plan.about[3], now, tonumber(ARGV[4]))
        fields[#fields + 1], fields[#fields + 2] = 'fc', answer[4]
      end
      for _, item in ipairs(made) do mark(chunk, place, facet('d', item[1])) end
      if plan.about[4] and plan.about[4] ~= '' then
        fields[#fields + 1], fields[#fields + 2] = 'tn', facet('n', plan.about[4])
      end
      if stored[2] ~= 'r' and stored[2] ~= 'u' and (plan.state == 'r' or plan.state == 'u') then
        count(service, 'c' .. plan.about[2], 'c' .. plan.about[2])
      end
    end
    if #made > 0 then fields[#fields + 1], fields[#fields + 2] = 'o', (stored[3] or 0) + #made end
    call('HSET', key, unpack(fields))
    -- From the journal of a ledger that was lost: it may have been delivered then.
    if lost then for _, item in ipairs(made) do doubt(item[1], item[3], ARGV[4]) end end
    for _, item in ipairs(due) do make_due(plan.id, item[1], item[2], item[4], answer) end
    for _, follow in ipairs(plan.follows) do follow_up(plan.id, follow, answer) end
  end
  answers[#answers + 1] = answer
end

-- A fault, such as a key of the wrong type, leaves what was applied before it whole, its place in the index too.
local whole, fault = pcall(function()
  for _, plan in ipairs(plans) do apply(plan) end
end)
end_indexing(now)
end_counting(now)
if not whole then error(fault, 0) end
if ARGV[3] ~= '' then audit(ARGV[3], #answers) end
return { next(rooms) and math.min(1, call('EXISTS', 'sb:suppressed', 'sb:donotcall')) or 0, now, older, answers }
