-- alert_finish(now, target, fence, outcome, delay_ms, reason) -> 1, or 0 where the fence is old and nothing changes.
-- `retry` leaves the message at the head of its line for `delay_ms`; `delivered` and `dead` end it.
local now, target, outcome = now_ms(), ARGV[2], ARGV[4]
local line, head, DUE, SENT = 'sb:alertline:' .. target, 'sb:alerthead:' .. target, 'sb:alertdue', 'sb:alertsent'
if call('HGET', head, 'fence') ~= ARGV[3] then return 0 end
if outcome == 'retry' then
  call('HSET', head, 'reason', ARGV[6])
  call('ZADD', DUE, int(now + tonumber(ARGV[5])), target)
  return 1
end
local message = call('LPOP', line)
if not message then return 0 end
local tries = call('HGET', head, 'tries') or '1'
call('HDEL', head, 'tries', 'reason')
call('LPUSH', SENT, target .. '|' .. outcome .. '|' .. int(now) .. '|' .. tries .. '|' .. ARGV[6] .. '\n' .. message)
call('LTRIM', SENT, 0, 199)
if call('LLEN', line) > 0 then call('ZADD', DUE, int(now), target) else call('ZREM', DUE, target) end
return 1
