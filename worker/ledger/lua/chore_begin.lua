-- chore_begin(now, name, every_ms): the next turn of a chore comes in `every_ms`.
call('SET', 'sb:choredone:' .. ARGV[2], '1', 'PX', ARGV[3])
call('DEL', 'sb:chorewake:' .. ARGV[2])
return 1
