--@ index figures
-- finish(now, memory_ms, probe_ms, probe_max_ms, blocked_probe_ms,
--   [key, fence, lease_end, verdict, reason, delay_ms, effect, memory, unsure, log]...)
-- -> {[applied, gate event, verdict, 1 when another delivery became due by it]...}
-- verdict: D delivered, X dead, S skipped, C cancelled, r retry by the schedule, h held (no wait used up),
-- u unclaimed (never sent), i interrupted (outcome unknown). effect on the gate: ok, fail, refuse, none, skip,
-- or `block:<never or soon>:<reason>`. An old fence changes nothing, nor does another lease: a primary
-- that has forgotten a claim gives its fence again. A final verdict that comes after the lease counts while nobody else
-- has claimed: what is known to be done is not done again.
local now = now_ms()
local MEMORY_MS = tonumber(ARGV[2])
local CIRCUIT_FAILURES, PROBE_MS, PROBE_MAX_MS, BLOCKED_PROBE_MS = 10, tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local function block(gate, reason, probe)
  local was = call('HGET', gate, 'blocked')
  call('HSETNX', gate, 'blocked_at', int(now))
  call('HSET', gate, 'blocked', reason, 'probe_at', probe == 'never' and 'never' or int(now + BLOCKED_PROBE_MS))
  return was and '' or 'blocked'
end

-- Lets the destination know; returns what happened to it, and whether it is blocked now.
local ungated = {} -- destinations of which there is nothing to know, asked once while all goes well
local function apply(dest, member, effect, reason)
  local gate = gate_key(dest)
  if effect == 'ok' or effect == 'none' then
    if ungated[dest] == nil then ungated[dest] = call('EXISTS', gate) == 0 end
    if ungated[dest] then return '', false end
  end
  ungated[dest] = nil
  local g = call('HMGET', gate, 'blocked', 'open', 'probe_last', 'refused', 'probe_wait', 'probe_at')
  if effect == 'ok' or effect == 'none' then call('HDEL', gate, 'fails', 'fail_first', 'fail_multi', 'refused') end
  -- Waits for `resume`, whatever the attempts come to that were under way: another try would save another lead.
  if g[1] and g[6] == 'never' then return '', true end
  if effect == 'ok' then
    if not g[1] and not g[2] then return '', false end
    call('HDEL', gate, 'blocked', 'blocked_at', 'open', 'probe_at', 'probe_last', 'probe_wait')
    call('DEL', wake_key(dest))
    return 'opened', false
  end
  local is_probe = (g[1] or g[2]) and g[3] == member
  if effect == 'skip' then
    if is_probe then call('HSET', gate, 'probe_at', int(now)) end
    return '', g[1]
  end
  local probe, why = string.match(effect, '^block:(%a+):(.*)$')
  if probe then return block(gate, why, probe), true end
  if effect == 'refuse' then
    call('HDEL', gate, 'fails', 'fail_first', 'fail_multi')
    if g[1] or (g[4] and g[4] ~= member) then return block(gate, reason, 'soon'), true end
    call('HSET', gate, 'refused', member)
  elseif effect == 'fail' then
    call('HDEL', gate, 'refused')
    local fails = call('HINCRBY', gate, 'fails', 1)
    call('HSETNX', gate, 'fail_first', member)
    if call('HGET', gate, 'fail_first') ~= member then call('HSET', gate, 'fail_multi', 1) end
    if not g[2] and not g[1] and fails >= CIRCUIT_FAILURES and call('HEXISTS', gate, 'fail_multi') == 1 then
      call('HSET', gate, 'open', int(now), 'probe_at', int(now + PROBE_MS), 'probe_wait', PROBE_MS)
      return 'circuit_open', false
    end
  end
  if is_probe then
    local wait = g[1] and BLOCKED_PROBE_MS or math.min((tonumber(g[5]) or PROBE_MS) * (effect == 'fail' and 2 or 1), PROBE_MAX_MS)
    call('HSET', gate, 'probe_at', int(now + wait), 'probe_wait', int(wait))
  end
  return '', g[1]
end

local function is_held_until(d, lease_end)
  return d.state == 'f' and (lease_end == 0 or d.at == lease_end)
end

local function taken_back(d)
  return d.state == 'r' and d.reason == 'interrupted'
end

local answers = {}
for i = 6, #ARGV, 10 do
  local key, fence, lease_end, verdict, reason = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), ARGV[i + 3], ARGV[i + 4]
  local delay, effect, memory, log = tonumber(ARGV[i + 5]), ARGV[i + 6], ARGV[i + 7], ARGV[i + 9]
  local id, dest, action = split_key(key)
  local member, field = id .. ':' .. action, field_of(dest, action)
  local stored = call('HMGET', call_key(id), field, 'o', 'w:' .. dest, 'ix', 'ra', 'tn')
  local d = read_delivery(stored[1])
  if d and d.fence == fence and d.state == verdict and FINAL[verdict] then
    answers[#answers + 1] = { 1, '', verdict, 0 } -- written before, and its answer was lost
  elseif not d or d.fence ~= fence or not (is_held_until(d, lease_end) or taken_back(d) and FINAL[verdict]) then
    answers[#answers + 1] = { 0, '', verdict, 0 }
  else
    -- The first write: a full Redis allows it, and then what follows in the script.
    call('ZREM', d.state == 'f' and LEASES or due_key(dest), d.state == 'f' and key or member)
    local event, blocked = apply(dest, member, effect, reason)
    -- While a destination is blocked a refusal tells nothing of the delivery: it uses up no wait, and nobody dies of it.
    if effect == 'refuse' and blocked then verdict, delay = 'h', 0 end
    d.at, d.reason, d.log = now, reason, log
    if (verdict ~= 'D' or reason ~= '') and verdict ~= 'u' then mark_end(stored[4], dest, verdict, reason) end
    if memory ~= '' and d.group ~= '' then
      call('SET', memory_key(dest, d.group), memory, 'PX', int(MEMORY_MS))
    end
    if ARGV[i + 8] == '1' then doubt(dest, d.group, int(MEMORY_MS)) end
    local more = release_group(dest, d.group, member, now)
    local fields = { field, '' }
    if FINAL[verdict] then
      d.state = verdict
      local open = tonumber(stored[2] or '0') - 1
      fields[3], fields[4] = 'o', open
      if open <= 0 then fields[5], fields[6] = 'f', int(now) end
      local service = string.match(stored[4] or '', '|(s%d+)|')
      if action == 'create' then
        count_end(facet('d', dest), service, verdict, reason, verdict == 'D' and math.max(0, now - (stored[5] or now)), stored[6])
      else
        count(facet('d', dest), verdict == 'D' and 'U' or verdict .. 'U')
      end
      if verdict == 'X' then call('ZADD', dead_key(dest), int(now), member) end
      if action == 'create' and stored[3] then
        release_followers(id, dest, now)
        more = true
      end
    else
      d.state = 'r'
      if verdict == 'r' then
        d.step = d.step + 1
        count(facet('d', dest), 'F', 'F')
      end
      if verdict == 'u' then
        d.number = d.number - 1
        if d.number == 0 then d.state = 'q' end
      end
      d.at = now + delay
      call('ZADD', due_key(dest), int(d.at), member)
    end
    fields[2] = written(d)
    call('HSET', call_key(id), unpack(fields))
    answers[#answers + 1] = { 1, event, verdict, more and 1 or 0 }
  end
end
end_counting(now)
return answers
