-- reports(now) -> {when a webhook was last taken, {name, when it reported, text}...}
-- Where none was ever heard of, it counts from now on.
local now = now_ms()
call('SET', 'sb:heard', int(now), 'NX')
local found = {}
local times = call('ZRANGE', 'sb:reported', 0, 999, 'WITHSCORES')
for i = 1, #times, 2 do
  found[#found + 1] = { times[i], times[i + 1], call('HGET', 'sb:receivers', times[i]) or '{}' }
end
return { call('GET', 'sb:heard'), found }
