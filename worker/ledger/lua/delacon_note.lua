-- delacon_note(now, day, figures, oldest day): what the audit of a day found; days before the oldest are forgotten.
local DAYS = 'sb:delacon'
call('HSET', DAYS, ARGV[2], ARGV[3])
for _, day in ipairs(call('HKEYS', DAYS)) do
  if day < ARGV[4] then call('HDEL', DAYS, day) end
end
return 1
