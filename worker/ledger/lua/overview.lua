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
local destinations = {}
for _, name in ipairs(names) do
  local g = call('HGETALL', gate_key(name))
  local gate = {}
  for i = 1, #g, 2 do gate[g[i]] = g[i + 1] end
  destinations[#destinations + 1] = {
    name = name, gate = cjson.encode(gate),
    due = call('ZCOUNT', due_key(name), '-inf', int(now)), queued = call('ZCARD', due_key(name)),
    overdue_ms = overdue(due_key(name)), dead = call('ZCARD', dead_key(name)),
  }
end
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
