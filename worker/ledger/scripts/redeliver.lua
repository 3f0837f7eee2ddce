-- redeliver(now, key...) -> 1 or 0 a key: 0 is no delivered one. The caller is forgotten in the same step, so that the
-- next attempt adds whom the vendor no longer has. The attempts' numbers go on; the schedule begins anew.
local now = now_ms()

local function redeliver(key)
  local id, dest, action = split_key(key)
  if not id then return 0 end
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  if not d or d.state ~= 'D' then return 0 end
  if d.group ~= '' then call('DEL', memory_key(dest, d.group)) end
  d.state, d.step, d.at, d.reason = 'q', 0, now, 'reconciled'
  write_delivery(id, dest, action, d)
  call('HINCRBY', call_key(id), 'o', 1)
  call('ZADD', due_key(dest), int(now), id .. ':' .. action)
  call('DEL', wake_key(dest))
  return 1
end

local answers = {}
for i = 2, #ARGV do answers[#answers + 1] = redeliver(ARGV[i]) end
return answers
