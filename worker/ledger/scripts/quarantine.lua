-- quarantine(now, id, received_ms, record, max_bodies, max_bytes): keeps an unusable body; the oldest make room.
local id, record = ARGV[2], ARGV[4]
if call('HSETNX', BODIES, id, record) == 1 then
  call('ZADD', QUARANTINE, ARGV[3], id)
  call('INCRBY', BODY_BYTES, #record)
end
while call('ZCARD', QUARANTINE) > tonumber(ARGV[5])
  or tonumber(call('GET', BODY_BYTES) or '0') > tonumber(ARGV[6]) do
  local oldest = call('ZRANGE', QUARANTINE, 0, 0)[1]
  if not oldest then break end
  drop_body(oldest)
end
return 1
