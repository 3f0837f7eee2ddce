-- check_quarantine(now, fix) -> JSON list of {key, fault, fixed}: bodies without a place, places without a body, and
-- whether their size is right.
local fix = ARGV[2] == '1'
local found, size = {}, 0
local function tell(key, fault, mend)
  if fix then mend() end
  found[#found + 1] = { key, fault, fix }
end
for _, id in ipairs(call('HKEYS', BODIES)) do
  if call('ZSCORE', QUARANTINE, id) then
    size = size + call('HSTRLEN', BODIES, id)
  else
    tell(id, 'body_without_place', function() call('HDEL', BODIES, id) end)
  end
end
for _, id in ipairs(call('ZRANGE', QUARANTINE, 0, -1)) do
  if call('HEXISTS', BODIES, id) == 0 then
    tell(id, 'place_without_record', function() call('ZREM', QUARANTINE, id) end)
  end
end
if tonumber(call('GET', BODY_BYTES) or '0') ~= size then
  tell(BODY_BYTES, 'bytes_miscounted', function() call('SET', BODY_BYTES, int(size)) end)
end
return #found > 0 and cjson.encode(found) or '[]'
