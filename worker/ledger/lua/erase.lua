--@ index
-- erase(now, action, remember_ms, id...) -> 1 or 0 an id: 0 is unknown. Removes calls with all their deliveries; the ids alone
-- are remembered. A finish that comes later finds no delivery and changes nothing.
local remember = tonumber(ARGV[3])

local function erase(id)
  if call('EXISTS', call_key(id)) == 0 then return 0 end
  unindex(id)
  remove_call(id)
  call('SET', remembered_key(id), '', 'PX', int(remember))
  return 1
end

local answers = {}
for i = 4, #ARGV do answers[#answers + 1] = erase(ARGV[i]) end
audit(ARGV[2], count_of(answers))
return answers
