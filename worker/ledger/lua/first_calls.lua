--@ index
-- first_calls(now, memory_ms, [id, caller's digits]...) -> '1', '0' or '' a call: whether no earlier call of its caller is
-- remembered. What was said of a call stays so, and from now on the caller has rung: of a batch one is the first.
local now, memory_ms = now_ms(), tonumber(ARGV[2])
local answers = {}
for i = 3, #ARGV, 2 do
  local id, digits = ARGV[i], ARGV[i + 1]
  local said = call('HGET', call_key(id), 'fc')
  if not said and digits ~= '' and call('EXISTS', call_key(id)) == 1 then
    said = is_first(digits, now, memory_ms)
    call('HSET', call_key(id), 'fc', said)
  end
  answers[#answers + 1] = said or ''
end
return answers
