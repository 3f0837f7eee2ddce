-- check_places(now, fix, set, dest or '', member...) -> JSON list of {key, fault, fixed}: members of a sorted set that
-- stand for nothing. What is readable and elsewhere is told by `check_calls`.
local now, fix = now_ms(), ARGV[2] == '1'
local set, dest = ARGV[3], ARGV[4]
local found = {}

local function fault_of(member)
  if set == SHELF then
    local id, of, action = split_key(member)
    if not id then return 'place_without_record' end
    if of == 'calls' then return call('EXISTS', call_key(id)) == 0 and 'place_without_record' end
    local value = call('HGET', call_key(id), field_of(of, action))
    return not value and 'place_without_record'
  end
  if set == LEASES then
    local id, of, action = split_key(member)
    local value = id and call('HGET', call_key(id), field_of(of, action))
    if not value then return 'place_without_record' end
    local d = read_delivery(value)
    return d and d.state ~= 'f' and 'lease_without_claim'
  end
  if dest ~= '' then
    local id, action = split_member(member)
    if not id or not call('HGET', call_key(id), field_of(dest, action)) then return 'place_without_record' end
    return false
  end
  if call('EXISTS', call_key(member)) == 0 then return 'place_without_record' end
  if set == UNROUTED and call('HGET', call_key(member), 'st') ~= 'u' then return 'listed_but_not_unrouted' end
  if set == NO_START and call('HGET', call_key(member), 'st') ~= 'x' then return 'listed_but_not_without_start' end
  return false
end

for i = 5, #ARGV do
  local member = ARGV[i]
  local fault = call('ZSCORE', set, member) and fault_of(member)
  if fault then
    if fix then call('ZREM', set, member) end
    if fix and set == SHELF then call('HDEL', SHELF_WHY, member) end
    found[#found + 1] = { set .. ' ' .. member, fault, fix }
  end
end
return #found > 0 and cjson.encode(found) or '[]'
