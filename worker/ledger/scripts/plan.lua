-- plan(now, JSON list of {id, n, state, revision, wait_until, routes, deliveries = [[dest, action, group, after], ...]})
-- -> {[applied, [created key, backlog of its destination], ...], ...}
-- Applied only when the call still has the n events that the plan was made from.
local now = now_ms()
local answers = {}
for _, plan in ipairs(cjson.decode(ARGV[2])) do
  local key = call_key(plan.id)
  local stored = call('HMGET', key, 'n', 'st')
  local answer = { 0 }
  if not stored[1] then
    call('ZREM', WAITS, plan.id)
  elseif tonumber(stored[1]) ~= plan.n then
    call('ZADD', WAITS, int(now), plan.id)
  else
    answer[1] = 1
    if plan.wait_until > 0 then
      call('ZADD', WAITS, int(plan.wait_until), plan.id)
    else
      call('ZREM', WAITS, plan.id)
    end
    if plan.state == 'x' then call('ZADD', NO_START, 'NX', int(now), plan.id) else call('ZREM', NO_START, plan.id) end
    if plan.state == 'u' then call('ZADD', UNROUTED, 'NX', int(now), plan.id) else call('ZREM', UNROUTED, plan.id) end
    call('HSET', key, 'st', plan.state, 'rv', plan.revision, 'pn', plan.n, 'rt', plan.routes)
    if stored[2] ~= plan.state then
      call('HSET', key, 'f', int(now))
      if plan.state == 'r' then call('HSET', key, 'ra', int(now)) end
    end
    for _, item in ipairs(plan.deliveries) do
      local dest, action, group, after = item[1], item[2], item[3], item[4]
      if call('HEXISTS', key, field_of(dest, action)) == 0 then
        write_delivery(plan.id, dest, action,
          { state = 'q', fence = 0, number = 0, step = 0, at = now, group = group, reason = '', log = '' })
        call('HINCRBY', key, 'o', 1)
        call('SADD', DESTS, dest)
        local create = after == 'create' and read_delivery(call('HGET', key, field_of(dest, 'create')))
        if create and not FINAL[create.state] then
          local waiting = call('HGET', key, 'w:' .. dest)
          call('HSET', key, 'w:' .. dest, waiting and (waiting .. ' ' .. action) or action)
        else
          call('ZADD', due_key(dest), int(now), plan.id .. ':' .. action)
          answer[#answer + 1] = plan.id .. ':' .. dest .. ':' .. action
          answer[#answer + 1] = call('ZCARD', due_key(dest))
        end
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
