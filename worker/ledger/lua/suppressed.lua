--@ list
-- suppressed(now, number...) -> {when the do-not-call list was loaded or 0, 1 or 0 a number}: whether no lead is made for
-- a number (E.164), by operators' own list or by the one that was loaded.
local loaded = call('HMGET', LIST, 'generation', 'at')
local answers = { tonumber(loaded[2] or 0) }
for i = 2, #ARGV do
  local held = call('SISMEMBER', 'sb:suppressed', ARGV[i])
  if held == 0 and loaded[1] then
    local digits = string.sub(ARGV[i], 2)
    held = call('SISMEMBER', place_of(loaded[1], digits), digits)
  end
  answers[#answers + 1] = held
end
return answers
