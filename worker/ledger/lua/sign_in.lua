-- sign_in(now, name, text, alive_ms, forgotten_ms, patience) -> the text of the planning worker with the newest
-- configuration. A text begins with `p` where the worker plans calls, and then with what orders configurations.
-- How long a call waits for its other event, accept is told by workers of that configuration alone, while one lives.
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
local function config_of(said) return string.match(said or '', '^p (%d+ %S+) ') end
local config = config_of(newest)
if config and config == config_of(ARGV[3]) and ARGV[6] ~= '' then
  call('SET', PATIENCE, ARGV[6] .. ' ' .. config, 'PX', ARGV[4])
elseif config ~= string.match(call('GET', PATIENCE) or '', '^%d+ %d+ %d (.*)$') then
  call('DEL', PATIENCE)
end
return newest
