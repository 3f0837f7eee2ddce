-- number_claim(now, key, token, lease_ms, interrupted) -> ours, busy, settled or absent.
-- A lease that ended without an outcome may have been sent: unknown for good, unless it was a search.
-- The token makes a claim whose answer was lost the same claim when it is asked for again.
local now = now_ms()
local key = 'sb:number:' .. ARGV[2]
local h = call('HMGET', key, 'state', 'token', 'lease', 'kind')
if not h[1] then return 'absent' end
if h[1] == 'in_flight' and h[2] ~= ARGV[3] then
  if tonumber(h[3]) > now then return 'busy' end
  if h[4] ~= 'search' then
    call('HSET', key, 'state', 'unknown', 'outcome', ARGV[5], 'settled', int(now))
    return 'settled'
  end
elseif h[1] ~= 'waiting' and h[1] ~= 'in_flight' then
  return 'settled'
end
call('HSET', key, 'state', 'in_flight', 'token', ARGV[3], 'lease', int(now + tonumber(ARGV[4])), 'claimed', int(now))
return 'ours'
