-- number_settle(now, key, token, state, outcome) -> 1, or 0 when this changes nothing.
-- A claim whose lease is over may still bring its yes or no, but is not sent again: somebody was told "unknown".
local key = 'sb:number:' .. ARGV[2]
local h = call('HMGET', key, 'state', 'token')
if h[2] ~= ARGV[3] then return 0 end
if h[1] ~= 'in_flight' and (h[1] ~= 'unknown' or ARGV[4] == 'waiting') then return 0 end
call('HSET', key, 'state', ARGV[4], 'outcome', ARGV[5], 'settled', int(now_ms()))
return 1
