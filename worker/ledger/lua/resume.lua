-- resume(now, action, dest) -> the gate's fields and values as they were. Opens a destination that is paused, blocked or
-- whose circuit is open, and forgets what was counted against it.
local gate = gate_key(ARGV[3])
local was = call('HGETALL', gate)
call('HDEL', gate, 'paused', 'blocked', 'blocked_at', 'open', 'probe_at', 'probe_last', 'probe_wait', 'fails',
  'fail_first', 'fail_multi', 'refused')
call('DEL', wake_key(ARGV[3]))
local shut = 0
for i = 1, #was, 2 do
  if was[i] == 'paused' or was[i] == 'blocked' or was[i] == 'open' then shut = 1 end
end
audit(ARGV[2], shut)
return was
