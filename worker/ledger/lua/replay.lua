-- replay(now, action, letters, reason, forgetting, key...) -> 1 or 0 a key: 0 is in none of the states of these letters.
-- A final delivery is due again. The attempts' numbers go on; the schedule begins anew. A call whose start never came
-- (`{id}:calls:start`) is dispatched again. `forgetting` = 1 forgets its caller in the same step, so that the next
-- attempt adds whom the vendor no longer has.
local now = now_ms()
local LETTERS, REASON, FORGETTING = ARGV[3], ARGV[4], ARGV[5] == '1'

-- The caller got through before or while the lead died: if it lands now, it is withdrawn after all.
local function revive_cancel(id, dest)
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, 'cancel')))
  if not d or d.state ~= 'S' or d.reason ~= 'no_create' then return end
  d.state, d.at, d.reason = 'q', now, ''
  write_delivery(id, dest, 'cancel', d)
  call('HINCRBY', call_key(id), 'o', 1)
  wait_for_create(id, dest, 'cancel')
end

local function replay(key)
  local id, dest, action = split_key(key)
  if not id then return 0 end
  if dest == 'calls' then
    if action ~= 'start' or not call('ZSCORE', NO_START, id) then return 0 end
    call('ZADD', WAITS, int(now), id)
    call('DEL', WAKE_CALLS)
    return 1
  end
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  if not d or not string.find(LETTERS, d.state, 1, true) then return 0 end
  if FORGETTING and d.group ~= '' then call('DEL', memory_key(dest, d.group)) end
  d.state, d.step, d.at, d.reason = 'q', 0, now, REASON
  write_delivery(id, dest, action, d)
  call('HINCRBY', call_key(id), 'o', 1)
  call('ZREM', dead_key(dest), id .. ':' .. action)
  local create = action ~= 'create' and read_delivery(call('HGET', call_key(id), field_of(dest, 'create')))
  if create and not FINAL[create.state] then
    wait_for_create(id, dest, action)
  else
    if action == 'create' then revive_cancel(id, dest) end
    call('ZADD', due_key(dest), int(now), id .. ':' .. action)
    call('DEL', wake_key(dest))
  end
  return 1
end

local answers = {}
for i = 6, #ARGV do answers[#answers + 1] = replay(ARGV[i]) end
audit(ARGV[2], count_of(answers))
return answers
