-- forget_waits(now, id...): stop waiting for calls that are no longer there. Whoever asks has not found them, but may
-- have looked at a replica: so they are looked for again here.
for i = 2, #ARGV do
  if call('EXISTS', call_key(ARGV[i])) == 0 then call('ZREM', WAITS, ARGV[i]) end
end
return 1
