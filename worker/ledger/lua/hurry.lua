-- hurry(now, action, key...) -> 1 or 0 a key: 0 is not there, final, under way, or waits for another delivery.
-- What waits for its time is due now, whatever its wait; its place in the schedule stays.
local now = now_ms()

local function hurry(key)
  local id, dest, action = split_key(key)
  if not id then return 0 end
  local member = id .. ':' .. action
  local score = call('ZSCORE', due_key(dest), member)
  local d = score and read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  if not d or (d.state ~= 'q' and d.state ~= 'r') then return 0 end
  if tonumber(score) > now then
    d.at = now
    write_delivery(id, dest, action, d)
    call('ZADD', due_key(dest), int(now), member)
  end
  call('DEL', wake_key(dest))
  return 1
end

local answers = {}
for i = 3, #ARGV do answers[#answers + 1] = hurry(ARGV[i]) end
audit(ARGV[2], count_of(answers))
return answers
