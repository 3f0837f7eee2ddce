-- list_release(now, destination, reason, passed, count) -> {looked at, released}: makes what was put off for a reason due
-- now, a slice of what is due later; `passed` of those were looked at before.
local now, dest = now_ms(), ARGV[2]
local due = due_key(dest)
local members = call('ZRANGEBYSCORE', due, '(' .. int(now), '+inf', 'LIMIT', ARGV[4], ARGV[5])
local released = 0
for _, member in ipairs(members) do
  local id, action = split_member(member)
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  if d and d.reason == ARGV[3] and (d.state == 'q' or d.state == 'r') then
    d.at = now
    write_delivery(id, dest, action, d)
    call('ZADD', due, int(now), member)
    released = released + 1
  end
end
if released > 0 then call('DEL', wake_key(dest)) end
return { #members, released }
