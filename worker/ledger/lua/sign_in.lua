-- sign_in(now, name, text, alive_ms, forgotten_ms) -> the text of the planning worker with the newest configuration.
-- A text begins with `p` where the worker plans calls, and then with what orders configurations.
local now = now_ms()
local WORKERS, TEXTS = 'sb:workers', 'sb:signins'
call('ZADD', WORKERS, int(now), ARGV[2])
call('HSET', TEXTS, ARGV[2], ARGV[3])
for _, gone in ipairs(call('ZRANGEBYSCORE', WORKERS, '-inf', int(now - ARGV[5]), 'LIMIT', 0, 100)) do
  call('ZREM', WORKERS, gone)
  call('HDEL', TEXTS, gone)
end
local newest = ''
local alive = call('ZRANGEBYSCORE', WORKERS, int(now - ARGV[4]), '+inf', 'LIMIT', 0, 1000)
for _, text in ipairs(call('HMGET', TEXTS, unpack(alive))) do
  if text and string.sub(text, 1, 1) == 'p' and text > newest then newest = text end
end
return newest
