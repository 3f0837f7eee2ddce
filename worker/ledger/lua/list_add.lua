--@ list
-- list_add(now, generation, keep_ms, digits...) -> how many were not on it: writes numbers onto a list that is not in
-- use yet, and goes away by itself where it is never used.
local generation, keep, added, touched = ARGV[2], ARGV[3], 0, {}
for i = 4, #ARGV do
  local key = place_of(generation, ARGV[i])
  added = added + call('SADD', key, ARGV[i])
  touched[key] = true
end
for key in pairs(touched) do call('PEXPIRE', key, keep) end
return added
