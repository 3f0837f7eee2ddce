--@ index
-- cancel(now, action, key...) -> 1 or 0 a key: 0 is not there, final, or under way. Nothing more is sent of it.
local now = now_ms()

local function cancel(key)
  local id, dest, action = split_key(key)
  if not id then return 0 end
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  if not d or (d.state ~= 'q' and d.state ~= 'r') then return 0 end
  call('ZREM', due_key(dest), id .. ':' .. action) -- a place in a line or behind its create is passed over later
  d.state, d.at, d.reason = 'C', now, 'cancelled'
  write_delivery(id, dest, action, d)
  mark_end(call('HGET', call_key(id), 'ix'), dest, 'C', d.reason)
  close_call(id, now)
  if action == 'create' then release_followers(id, dest, now) end
  if d.group ~= '' then promote_group(dest, d.group, now) end
  return 1
end

local answers = {}
for i = 3, #ARGV do answers[#answers + 1] = cancel(ARGV[i]) end
audit(ARGV[2], count_of(answers))
return answers
