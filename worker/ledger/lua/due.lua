-- due(now, lease_ms, limit) -> ids of calls whose wait is over, the longest overdue first.
-- Each is put off by the lease, so that two dispatches never plan the same calls, and one that dies is made up for.
local now = now_ms()
call('DEL', WAKE_CALLS)
local ids = call('ZRANGEBYSCORE', WAITS, '-inf', int(now), 'LIMIT', 0, ARGV[3])
for _, id in ipairs(ids) do call('ZADD', WAITS, int(now + tonumber(ARGV[2])), id) end
return ids
