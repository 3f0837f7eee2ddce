--@ index
-- sweep(now, slice, pass_pause_ms, retention_ms, dead_retention_ms, remember_ms)
-- -> {how many calls were removed, 1 when there are more to look at}.
-- A cursor walks the calls from the oldest; what is kept on (dead letters, open work) is passed over.
local now = now_ms()
local slice, pause = tonumber(ARGV[2]), tonumber(ARGV[3])
local retention, dead_retention, remember = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local CURSOR = 'sb:sweep'

trim_quarantine(now - dead_retention)
local cursor = tonumber(call('GET', CURSOR) or '0')
if cursor < 0 then return { 0, 0 } end
local ids = call('ZRANGEBYSCORE', CALLS, '-inf', int(now - math.min(retention, dead_retention)), 'LIMIT', int(cursor), slice)
local removed = 0
for _, id in ipairs(ids) do
  local key = call_key(id)
  local h = call('HMGET', key, 'st', 'o', 'f')
  -- An event that is not planned yet may make a delivery still.
  local keep = (h[1] or 'w') == 'w' or tonumber(h[2] or '0') > 0 or call('ZSCORE', WAITS, id)
  if not keep then
    local limit = retention
    if h[1] == 'u' or h[1] == 'x' or has_dead(id) then limit = dead_retention end
    keep = tonumber(h[3] or '0') + limit > now
  end
  if not keep then
    unindex(id)
    remove_call(id)
    call('SET', remembered_key(id), '', 'PX', int(remember))
    removed = removed + 1
  end
end
local kept = cursor + #ids - removed
if #ids == slice then
  call('SET', CURSOR, int(kept))
elseif kept > 0 then
  call('SET', CURSOR, -1, 'PX', pause)
end
return { removed, #ids == slice and 1 or 0 }
