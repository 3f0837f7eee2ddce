-- sums(now, prefix, first, last, '1' together or '0', series...) -> how often each series counted from hour `first` to
-- hour `last`; together: {hour, count...} of all of them, hour by hour. The caller asks for a few at a time.
local SPAN = 120 -- figures.lua
local prefix, first, last = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local function each_hash(series, visit)
  for span = math.floor(first / SPAN), math.floor(last / SPAN) do visit(prefix .. series .. ':' .. int(span), span * SPAN) end
end

local function each_count(key, begin, visit)
  local fields = call('HGETALL', key)
  for i = 1, #fields, 2 do
    local at = begin + tonumber(fields[i])
    if at >= first and at <= last then visit(at, tonumber(fields[i + 1])) end
  end
end

if ARGV[5] == '1' then
  local hours, answer = {}, {}
  local function add(at, count) hours[at] = (hours[at] or 0) + count end
  for i = 6, #ARGV do
    each_hash(ARGV[i], function(key, begin) each_count(key, begin, add) end)
  end
  for at, count in pairs(hours) do answer[#answer + 1], answer[#answer + 2] = at, count end
  return answer
end

local sums = {}
for i = 6, #ARGV do
  local sum = 0
  local function add(_, count) sum = sum + count end
  each_hash(ARGV[i], function(key, begin)
    if begin >= first and begin + SPAN - 1 <= last then
      for _, count in ipairs(call('HVALS', key)) do sum = sum + tonumber(count) end
    else
      each_count(key, begin, add)
    end
  end)
  sums[#sums + 1] = sum
end
return sums
