-- forget(now, id...) -> 1 or 0 an id: takes bodies out of quarantine; 0 is unknown.
local answers = {}
for i = 2, #ARGV do
  answers[#answers + 1] = call('HEXISTS', BODIES, ARGV[i])
  drop_body(ARGV[i])
end
return answers
