-- suppress(now, action, SADD or SREM, number...) -> how many numbers went onto the list of suppressed ones, or off it.
local changed = 0
for i = 4, #ARGV do changed = changed + call(ARGV[3], 'sb:suppressed', ARGV[i]) end
audit(ARGV[2], changed)
return changed
