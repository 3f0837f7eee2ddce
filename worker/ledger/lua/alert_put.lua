-- alert_put(now, id, target, kind, facts): a message that belongs to no cause, such as a test, put into a target's line.
local now, line = now_ms(), 'sb:alertline:' .. ARGV[3]
local message = cjson.encode({ id = ARGV[2], kind = ARGV[4], alert = '', since = int(now), begun = int(now),
                               at = int(now), facts = ARGV[5] })
if call('RPUSH', line, message) == 1 then call('ZADD', 'sb:alertdue', int(now), ARGV[3]) end
call('PEXPIRE', line, 30 * 86400000)
return 1
