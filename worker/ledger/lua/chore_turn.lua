-- chore_turn(now, name, wake_ms) -> 1 when a message that does this chore is to be sent now.
-- One is outstanding at a time; where nobody takes chores from their queue, few wait there.
if call('EXISTS', 'sb:choredone:' .. ARGV[2]) == 1 or call('LLEN', 'chores') >= 8 then return 0 end
return call('SET', 'sb:chorewake:' .. ARGV[2], '1', 'NX', 'PX', ARGV[3]) and 1 or 0
