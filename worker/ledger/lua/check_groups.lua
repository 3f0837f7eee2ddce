-- check_groups(now, fix, dest, group...) -> JSON list of {destination, fault, fixed}: lines of callers in which nobody
-- is next. The group itself is not told, for it is a number.
local now, fix, dest = now_ms(), ARGV[2] == '1', ARGV[3]
local LOOKED = 5000
local found = {}

-- Whether one of the group is due already: it takes the group when it is claimed.
local function has_due(group)
  for _, member in ipairs(call('ZRANGE', due_key(dest), 0, LOOKED - 1)) do
    local id, action = split_member(member)
    local d = id and read_delivery(call('HGET', call_key(id), field_of(dest, action)))
    if d and d.group == group then return true end
  end
  return false
end

for i = 4, #ARGV do
  local group = ARGV[i]
  local holder = call('HGET', holders_key(dest), group)
  local id, action = split_member(holder or '')
  local d = id and read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  local fault
  if holder and not (d and d.state == 'f') then
    fault = 'line_held_by_nobody'
  elseif not holder and call('EXISTS', parked_key(dest, group)) == 1 and not has_due(group) then
    fault = 'line_without_holder'
  end
  if fault then
    if fix then
      call('HDEL', holders_key(dest), group)
      promote_group(dest, group, now)
    end
    found[#found + 1] = { dest, fault, fix }
  end
end
return #found > 0 and cjson.encode(found) or '[]'
