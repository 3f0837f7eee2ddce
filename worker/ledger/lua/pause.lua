-- pause(now, action, dest) -> 1, or 0 when it was paused before: nothing more is taken from its queue, which keeps growing.
local paused = call('HSETNX', gate_key(ARGV[3]), 'paused', int(now_ms()))
audit(ARGV[2], paused)
return paused
