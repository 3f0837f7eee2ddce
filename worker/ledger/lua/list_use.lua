--@ list
-- list_use(now, action, generation, count) -> {1 or 0, numbers of the list before}: puts a list into the place of the
-- one before, from one lead to the next; 0: it does not have its count of numbers any more, and nothing was changed.
local now, generation, count = now_ms(), ARGV[3], tonumber(ARGV[4])
local before = call('HMGET', LIST, 'generation', 'count')
if size_of(generation) ~= count then return { 0, tonumber(before[2] or 0) } end
call('HSET', LIST, 'generation', generation, 'count', int(count), 'at', int(now))
each_part(generation, function(key) call('PERSIST', key) end)
if before[1] and before[1] ~= generation then
  each_part(before[1], function(key) call('UNLINK', key) end)
end
audit(ARGV[2], count)
return { 1, tonumber(before[2] or 0) }
