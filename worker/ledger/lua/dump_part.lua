-- dump_part(now, key, cursor, count) -> {next cursor, MessagePack as `dump` makes it}: a part of a big collection.
local now = now_ms()
local key, cursor, count = ARGV[2], ARGV[3], ARGV[4]
local SCANS = { hash = 'HSCAN', zset = 'ZSCAN', set = 'SSCAN' }
local kind = call('TYPE', key).ok
if kind == 'list' then
  local from = tonumber(cursor)
  local values = call('LRANGE', key, from, from + count - 1)
  local following = #values == tonumber(count) and int(from + count) or '0'
  return { following, cmsgpack.pack({ { kind, key, values, 0 } }) }
end
if kind == 'none' then return { '0', cmsgpack.pack({}) } end
if not SCANS[kind] then return redis.error_reply('ERR a ' .. kind .. ' cannot be backed up') end
local left = call('PTTL', key)
local found = call(SCANS[kind], key, cursor, 'COUNT', count)
return { found[1], cmsgpack.pack({ { kind, key, found[2], left > 0 and int(now + left) or 0 } }) }
