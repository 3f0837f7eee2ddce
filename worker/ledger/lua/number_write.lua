-- number_write(now, key, kind, request, keep_ms or 0) -> new, same or other (the key holds a different request).
-- What costs money or changes a number is kept for good; a search is kept for a while.
local key = 'sb:number:' .. ARGV[2]
local held = call('HGET', key, 'request')
if held then return held == ARGV[4] and 'same' or 'other' end
call('HSET', key, 'kind', ARGV[3], 'request', ARGV[4], 'state', 'waiting', 'written', int(now_ms()))
local keep = tonumber(ARGV[5])
if keep > 0 then call('PEXPIRE', key, keep) else call('ZADD', 'sb:numbers', int(now_ms()), ARGV[2]) end
return 'new'
