--@ list
-- list_check(now) -> 1, or 0 where a list lacks numbers, as after a restore: it then counts as never loaded.
local found = call('HMGET', LIST, 'generation', 'count')
if not found[1] or size_of(found[1]) == tonumber(found[2]) then return 1 end
call('HSET', LIST, 'at', 0)
return 0
