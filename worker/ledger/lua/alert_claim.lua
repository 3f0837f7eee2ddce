-- alert_claim(now, lease_ms, target...) -> {target, fence, number of the attempt, message}...
-- The first message of each line that may be tried now, in the hands of whoever asks until its lease ends: a line is
-- told in its order, and one message at a time.
local now, answer = now_ms(), {}
for i = 3, #ARGV do
  local target = ARGV[i]
  local due = call('ZSCORE', 'sb:alertdue', target)
  if due and tonumber(due) <= now then
    local message, head = call('LINDEX', 'sb:alertline:' .. target, 0), 'sb:alerthead:' .. target
    if message then
      local fence = call('HINCRBY', head, 'fence', 1)
      local number = call('HINCRBY', head, 'tries', 1)
      call('PEXPIRE', head, 30 * 86400000)
      call('ZADD', 'sb:alertdue', int(now + tonumber(ARGV[2])), target)
      answer[#answer + 1] = { target, fence, number, message }
    else
      call('ZREM', 'sb:alertdue', target)
    end
  end
end
return answer
