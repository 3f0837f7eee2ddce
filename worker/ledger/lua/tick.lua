-- tick(now, limit, wake_ms, memory_ms, config, every_ms, dest...)
-- -> {1 when this tick looked, expired leases, 1 when calls wait for dispatch, destination to wake...}
-- Expired leases go back to due, and leave a doubt about their callers; what is due and has no wake-up outstanding gets
-- one. What was set aside, and may be readable by now, is looked at again.
-- Of the workers of one configuration one looks in every_ms; without a configuration each does.
if ARGV[5] ~= '' and not call('SET', 'sb:tick:' .. ARGV[5], '1', 'NX', 'PX', ARGV[6]) then return { 0, 0, 0 } end
local now = now_ms()
local limit, wake_ms, memory_ms = ARGV[2], ARGV[3], ARGV[4]
local answer = { 1, 0, 0 }
for _, key in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', int(now), 'LIMIT', 0, limit)) do
  call('ZREM', LEASES, key)
  local id, dest, action = split_key(key)
  local member = id .. ':' .. action
  local value = call('HGET', call_key(id), field_of(dest, action))
  local d = read_delivery(value)
  if value and not d then
    set_aside(key, 'header', now)
  elseif d and d.state == 'f' then
    d.state, d.at, d.reason = 'r', now, 'interrupted'
    write_delivery(id, dest, action, d)
    call('ZADD', due_key(dest), int(now), member)
    release_group(dest, d.group, member, now)
    doubt(dest, d.group, memory_ms) -- last: it reads what a foreign key may stand for
    answer[2] = answer[2] + 1
  end
end
for _, key in ipairs(call('ZRANGEBYSCORE', SHELF, '-inf', int(now), 'LIMIT', 0, 20)) do try_again(key, now) end
if #call('ZRANGEBYSCORE', WAITS, '-inf', int(now), 'LIMIT', 0, 1) > 0
  and call('SET', WAKE_CALLS, '1', 'NX', 'PX', wake_ms) then
  answer[3] = 1
end
local dues = {}
for i = 7, #ARGV do dues[i - 6] = due_key(ARGV[i]) end
for _, place in ipairs(all_existing(dues)) do
  local dest = ARGV[place + 6]
  local g = call('HMGET', gate_key(dest), 'paused', 'blocked', 'open', 'probe_at')
  local held = why_held(g)
  local shut = held and (held == 'paused' or probe_waits(g[4], now))
  if not shut and #call('ZRANGEBYSCORE', due_key(dest), '-inf', int(now), 'LIMIT', 0, 1) > 0
    and call('SET', wake_key(dest), '1', 'NX', 'PX', wake_ms) then
    answer[#answer + 1] = dest
  end
end
return answer
