-- regroup(now, apply, [id, dest, action, old group, new group]...) -> how many deliveries stand under the old reading
-- of their caller's number; one under way stays as it is until it has ended. Final ones count too: by the group of a
-- create its updates find what is remembered of the caller.
local apply = ARGV[2] == '1'
local found = 0
for i = 3, #ARGV, 5 do
  local id, dest, action, old, new = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local d = read_delivery(call('HGET', call_key(id), field_of(dest, action)))
  if d and d.group == old then
    found = found + 1
    local parked = call('LPOS', parked_key(dest, old), id .. ':' .. action)
    if apply and d.state ~= 'f' and not parked then
      d.group = new
      write_delivery(id, dest, action, d)
    end
  end
end
return found
