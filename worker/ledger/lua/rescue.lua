-- rescue(now, slice, every_ms, pass_pause_ms) -> how many calls were put back among those that wait for dispatch.
-- A call whose events are newer than its plan, or that waits for another event, stands among them: one that does not
-- would be looked at by nobody. A cursor walks the calls from the newest, one slice each `every_ms` for all clocks.
local now = now_ms()
local slice = tonumber(ARGV[2])
local CURSOR = 'sb:rescue'
local from = tonumber(call('GET', CURSOR) or '0')
if from < 0 or not call('SET', 'sb:rescuing', '1', 'NX', 'PX', ARGV[3]) then return 0 end
local ids = call('ZREVRANGE', CALLS, from, from + slice - 1)
local found = 0
for _, id in ipairs(ids) do
  local h = redis.pcall('HMGET', call_key(id), 'n', 'xn', 'pn', 'st', 'ix') -- a key of the wrong type holds up no other
  local unplanned = not h.err and h[1] and (tonumber(h[3] or '0') ~= h[1] + (h[2] or 0) or h[4] == 'w')
  if unplanned and not call('ZSCORE', WAITS, id) and not call('ZSCORE', SHELF, plan_key(id)) then
    call('ZADD', WAITS, int(now), id)
    found = found + 1
  end
  -- A worker of a version without the index planned it: the index is to be filled again.
  if not h.err and not h[5] and (h[4] == 'r' or h[4] == 'u') and call('GET', 'sb:filled') == '0' then
    call('DEL', 'sb:filled')
  end
end
if #ids == slice then
  call('SET', CURSOR, int(from + slice))
else
  call('SET', CURSOR, -1, 'PX', ARGV[4])
end
return found
