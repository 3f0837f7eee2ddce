-- shelve(now, key, fence, why, reason) -> 1, or 0 when the claim is no longer the caller's: sets a claimed delivery aside of
-- which something cannot be read. It was not sent, so the claim is undone; that the attempt before it was
-- cut is still to be logged.
local now = now_ms()
local id, dest, action = split_key(ARGV[2])
local d = read_delivery(call('HGET', call_key(id), field_of(dest, action)))
if not d or d.state ~= 'f' or d.fence ~= tonumber(ARGV[3]) then return 0 end
call('ZREM', LEASES, ARGV[2])
d.number = d.number - 1
d.state, d.at, d.reason = d.number > 0 and 'r' or 'q', now, ARGV[5] == 'interrupted' and ARGV[5] or 'set_aside'
write_delivery(id, dest, action, d)
release_group(dest, d.group, id .. ':' .. action, now)
set_aside(ARGV[2], ARGV[4], now)
return 1
