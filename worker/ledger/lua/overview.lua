-- overview(now, workers_since_ms, dest...) -> JSON: what is due, held and dead, and who is alive.
local now = now_ms()
local function overdue(set)
  local first = call('ZRANGE', set, 0, 0, 'WITHSCORES')
  return first[2] and tonumber(first[2]) <= now and now - tonumber(first[2]) or 0
end
local names, seen = {}, {}
for i = 3, #ARGV do names[#names + 1] = ARGV[i]; seen[ARGV[i]] = true end
for _, name in ipairs(call('SMEMBERS', DESTS)) do
  if not seen[name] then names[#names + 1] = name end
end
local destinations, gates, dues, deads = {}, {}, {}, {}
for i, name in ipairs(names) do
  destinations[i] = { name = name, gate = '{}', due = 0, queued = 0, overdue_ms = 0, dead = 0 }
  gates[i], dues[i], deads[i] = gate_key(name), due_key(name), dead_key(name)
end
for _, i in ipairs(all_existing(gates)) do
  local g = call('HGETALL', gates[i])
  local gate = {}
  for k = 1, #g, 2 do gate[g[k]] = g[k + 1] end
  destinations[i].gate = cjson.encode(gate)
end
for _, i in ipairs(all_existing(dues)) do
  local one = destinations[i]
  one.due, one.queued = call('ZCOUNT', dues[i], '-inf', int(now)), call('ZCARD', dues[i])
  one.overdue_ms = overdue(dues[i])
end
for _, i in ipairs(all_existing(deads)) do destinations[i].dead = call('ZCARD', deads[i]) end
local workers = {}
for _, name in ipairs(call('ZRANGEBYSCORE', 'sb:workers', int(now - tonumber(ARGV[2])), '+inf')) do
  workers[#workers + 1] = { name, call('HGET', 'sb:signins', name) or '' }
end
return cjson.encode({
  now = now, workers = workers,
  calls = call('ZCARD', CALLS), waiting = call('ZCARD', WAITS), waits_overdue_ms = overdue(WAITS),
  in_flight = call('ZCARD', LEASES), no_start = call('ZCARD', NO_START), unrouted = call('ZCARD', UNROUTED),
  quarantined = call('ZCARD', QUARANTINE), destinations = destinations,
})
