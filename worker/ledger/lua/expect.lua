-- expect(now, id...): events of these calls are about to come from a journal. What is made of them may have been delivered
-- by a ledger that was lost since, so their callers will be in doubt (`plan`). A call of which the id alone is left takes
-- no event any more.
for i = 2, #ARGV do
  if call('EXISTS', remembered_key(ARGV[i])) == 0 then call('HSET', call_key(ARGV[i]), 'jr', 1) end
end
return 1
