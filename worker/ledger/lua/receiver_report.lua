-- receiver_report(now, name, text, heard_ms, forgotten_ms): what a receiver's process says of itself.
-- `heard_ms` is when it last took a webhook; of all processes the latest stays.
local now = now_ms()
local REPORTS, TIMES, HEARD = 'sb:receivers', 'sb:reported', 'sb:heard'
call('HSET', REPORTS, ARGV[2], ARGV[3])
call('ZADD', TIMES, int(now), ARGV[2])
for _, gone in ipairs(call('ZRANGEBYSCORE', TIMES, '-inf', int(now - ARGV[5]), 'LIMIT', 0, 100)) do
  call('ZREM', TIMES, gone)
  call('HDEL', REPORTS, gone)
end
if tonumber(ARGV[4]) > tonumber(call('GET', HEARD) or '0') then call('SET', HEARD, ARGV[4]) end
return 1
