--@ index
-- fill_index(now, oldest_ms, JSON list of {id, service id, result's letter, caller's digits}) -> how many it took.
-- Writes calls of versions without an index into a chunk of their own, in the order given. Chunks of older calls have
-- smaller numbers; `sb:filled` is the first receipt from which on all calls are in, as its walk goes backwards.
local CALLS_IN = cjson.decode(ARGV[3])
local lowest = 0
for _, name in ipairs(call('ZRANGE', CHUNKS, 0, -1)) do lowest = math.min(lowest, tonumber(name)) end
local began, taken = tonumber(ARGV[2]), 0
local function fill(one)
  local id, key = one[1], call_key(one[1])
  local h = call('HMGET', key, 'n', 'ix')
  if h[1] and not h[2] then
    local ix, _, chunk, place = index(id, { one[2], one[3], one[4] }, nil, began)
    call('HSET', key, 'ix', ix)
    each_delivery(id, function(dest, _, d)
      mark(chunk, place, facet('d', dest))
      if d then mark_end(ix, dest, d.state, d.reason) end
    end)
    taken = taken + 1
  end
end

add_to(int(lowest - 1))
local whole, fault = pcall(function()
  for _, one in ipairs(CALLS_IN) do fill(one) end
end)
end_indexing(began)
if not whole then error(fault, 0) end
call('SET', 'sb:filled', ARGV[2])
return taken
