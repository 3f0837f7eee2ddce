--@ index
-- drop(now, action, key...) -> 1 or 0 a key: 0 is no dead letter. A dropped delivery stays with its call, cancelled.
local now = now_ms()

local function drop(key)
  local id, dest, action = split_key(key)
  if not id then return 0 end
  if dest == 'calls' then return action == 'start' and call('ZREM', NO_START, id) or 0 end
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  if not d or d.state ~= 'X' then return 0 end
  d.state, d.at, d.reason = 'C', now, 'dropped'
  write_delivery(id, dest, action, d)
  mark_end(call('HGET', call_key(id), 'ix'), dest, 'C', d.reason)
  call('ZREM', dead_key(dest), id .. ':' .. action)
  return 1
end

local answers = {}
for i = 3, #ARGV do answers[#answers + 1] = drop(ARGV[i]) end
audit(ARGV[2], count_of(answers))
return answers
