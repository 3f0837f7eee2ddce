-- check_lives(now, fix, life_ms, key...) -> how many of these keys would be kept for good, though they are memories.
local fix, found = ARGV[2] == '1', 0
for i = 4, #ARGV do
  if call('PTTL', ARGV[i]) == -1 then
    found = found + 1
    if fix then call('PEXPIRE', ARGV[i], ARGV[3]) end
  end
end
return found
