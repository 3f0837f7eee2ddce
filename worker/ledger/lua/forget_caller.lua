--@ index
-- forget_caller(now, memory_ms, digits...) -> from how many sets a caller was taken.
local now, memory_ms, forgotten = now_ms(), tonumber(ARGV[2]), 0
for i = 3, #ARGV do
  for _, key in ipairs(rang_keys(ARGV[i], now - memory_ms - RANG_MS, now)) do
    forgotten = forgotten + call('SREM', key, ARGV[i])
  end
end
return forgotten
