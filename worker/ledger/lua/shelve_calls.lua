-- shelve_calls(now, [id, why]...) -> 1: sets calls aside that this version cannot plan; see `set_aside`.
local now = now_ms()
for i = 2, #ARGV, 2 do
  if call('EXISTS', call_key(ARGV[i])) == 1 then
    call('ZREM', WAITS, ARGV[i])
    set_aside(plan_key(ARGV[i]), ARGV[i + 1], now)
  end
end
return 1
