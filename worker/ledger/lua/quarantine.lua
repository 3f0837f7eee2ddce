-- quarantine(now, max_bodies, max_bytes, [id, received_ms, record]...): keeps unusable bodies; the oldest make room.
for i = 4, #ARGV, 3 do
  local id, record = ARGV[i], ARGV[i + 2]
  if call('HSETNX', BODIES, id, record) == 1 then
    call('ZADD', QUARANTINE, ARGV[i + 1], id)
    call('INCRBY', BODY_BYTES, #record)
  end
end
while call('ZCARD', QUARANTINE) > tonumber(ARGV[2])
  or tonumber(call('GET', BODY_BYTES) or '0') > tonumber(ARGV[3]) do
  local oldest = call('ZRANGE', QUARANTINE, 0, 0)[1]
  if not oldest then break end
  drop_body(oldest)
end
return 1
