-- The do-not-call list that was loaded last: `sb:donotcall` says which one, its numbers stand in sets of whole numbers
-- (8 bytes a number, where one set of texts takes 64), so small that each stays one.
local LIST, PARTS = 'sb:donotcall', 8192

local function part_key(generation, part) return 'sb:listed:' .. generation .. ':' .. part end
local function place_of(generation, digits) return part_key(generation, int(tonumber(digits) % PARTS)) end

local function each_part(generation, visit)
  for part = 0, PARTS - 1 do visit(part_key(generation, part)) end
end

local function size_of(generation)
  local count = 0
  each_part(generation, function(key) count = count + call('SCARD', key) end)
  return count
end
