-- forget(now, action, id...) -> 1 or 0 an id: takes bodies out of quarantine; 0 is unknown.
local answers = {}
for i = 3, #ARGV do
  answers[#answers + 1] = call('HEXISTS', BODIES, ARGV[i])
  drop_body(ARGV[i])
end
audit(ARGV[2], count_of(answers))
return answers
