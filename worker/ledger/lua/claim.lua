-- claim(now, dest, want, lease_ms, first, rate_per_s or '', member...)
-- -> {verdict, wait_ms, left, behind_ms, suppressing, lease_end, item...}: how many more are due, and since when the
-- longest of them; 1 when any number is suppressed; when the leases end, in ms;
-- an item is {id, action, fence, number, step, reason, ready_at, memory, log, siblings, version, first call, event...}.
-- At most some 1 MB of events: `limited`, without a wait, when there was more.
-- verdict: ok, empty, limited, paused, blocked, open. A lease starts here, so a worker asks only for its free slots.
local now = now_ms()
local dest, want, lease = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local due, gate = due_key(dest), gate_key(dest)
local handed = 7
if ARGV[5] == '1' then call('DEL', wake_key(dest)) end

local g = call('HMGET', gate, 'paused', 'blocked', 'open', 'probe_at', 'probe_last')
local held = why_held(g)
local probing = held and held ~= 'paused'
if held then
  if not probing or probe_waits(g[4], now) then return { held, 0, 0, 0, 0, 0 } end
  want, handed = 1, #ARGV + 1
end

local rate = tonumber(ARGV[6])
local rate_state = 'sb:rate:' .. dest
local tokens
if rate then
  local burst = math.max(1, rate)
  local r = call('HMGET', rate_state, 'tokens', 'at')
  tokens = math.min(burst, (tonumber(r[1]) or burst) + (now - (tonumber(r[2]) or now)) * rate / 1000)
  if tokens < 1 then return { 'limited', math.ceil((1 - tokens) * 1000 / rate), 0, 0, 0, 0 } end
  want = math.min(want, math.floor(tokens))
end

-- An update or a withdrawal has to know what became of the deliveries before it.
local function siblings(key, dest, action)
  local found = {}
  if action == 'create' then return found end
  local prefix = 'd:' .. dest .. ':'
  for _, name in ipairs(call('HKEYS', key)) do
    if string.sub(name, 1, #prefix) == prefix and name ~= prefix .. action then
      found[#found + 1] = string.sub(name, #prefix + 1)
      found[#found + 1] = call('HGET', key, name)
    end
  end
  return found
end

-- What a call has beyond its first two events.
local function add_events(item, key, n, folded)
  local names = {}
  for i = 3, n do names[#names + 1] = 'e' .. i end
  if #names > 0 then
    for _, event in ipairs(call('HMGET', key, unpack(names))) do item[#item + 1] = event end
  end
  if folded == 0 then return end
  local fields = call('HGETALL', key)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'x:' then item[#item + 1] = fields[i + 1] end
  end
end

local lease_end = int(now + lease)
local items, room = {}, 1048576
-- Each is taken whole before the next: a fault in one, such as a key of the wrong type, leaves the others due or leased.
local function take(member)
  if call('ZREM', due, member) == 0 then return end
  local id, action = split_member(member)
  local key = call_key(id)
  local head = call('HMGET', key, field_of(dest, action), 'n', 'ra', 'e1', 'e2', 'xn', 'fc') -- nearly every call has two events
  local d = read_delivery(head[1])
  if head[1] and not d then return set_aside(id .. ':' .. dest .. ':' .. action, 'header', now) end
  if not d or (d.state ~= 'q' and d.state ~= 'r') then return end
  local memory = ''
  if d.group ~= '' then
    local holder = call('HGET', holders_key(dest), d.group)
    if holder and holder ~= member then
      call('RPUSH', parked_key(dest, d.group), member)
      return
    end
    call('HSET', holders_key(dest), d.group, member)
    memory = call('GET', memory_key(dest, d.group)) or ''
  end
  local reason = d.reason
  d.state, d.fence, d.number, d.at, d.reason = 'f', d.fence + 1, d.number + 1, now + lease, ''
  write_delivery(id, dest, action, d)
  call('ZADD', LEASES, lease_end, id .. ':' .. dest .. ':' .. action)
  local item = { id, action, d.fence, d.number, d.step, reason, head[3] or '', memory, d.log, siblings(key, dest, action) }
  local n, folded = tonumber(head[2] or '0'), tonumber(head[6] or '0')
  item[11], item[12] = n + folded, head[7] or ''
  for i = 1, math.min(n, 2) do item[12 + i] = head[3 + i] end
  if n > 2 or folded > 0 then add_events(item, key, n, folded) end
  for i = 13, #item do room = room - #(item[i] or '') end
  items[#items + 1] = item
end

for i = handed, #ARGV do
  if #items >= want or room <= 0 then break end
  local score = call('ZSCORE', due, ARGV[i])
  if score and tonumber(score) <= now then take(ARGV[i]) end
end
if probing then
  local first = call('ZRANGEBYSCORE', due, '-inf', int(now), 'LIMIT', 0, 2)
  local member = first[1]
  if member and member == g[5] and first[2] then member = first[2] end
  if member then take(member) end
  if #items > 0 then call('HSET', gate, 'probe_at', int(now + lease), 'probe_last', member) end
else
  -- A member that is parked or gone takes no slot: look further, a bounded number of times.
  for _ = 1, 4 do
    if #items >= want or room <= 0 then break end
    local members = call('ZRANGEBYSCORE', due, '-inf', int(now), 'LIMIT', 0, want - #items)
    if #members == 0 then break end
    for _, member in ipairs(members) do
      if room <= 0 then break end
      take(member)
    end
  end
end
if rate then
  call('HSET', rate_state, 'tokens', tostring(tokens - #items), 'at', int(now))
  -- Forgotten when it is full again anyway: a slow rate has its one token only after hours.
  call('PEXPIRE', rate_state, int(math.max(3600000, math.ceil(math.max(1, rate) * 1000 / rate))))
end
local left, behind = call('ZCOUNT', due, '-inf', int(now)), 0
if left > 0 then behind = now - tonumber(call('ZRANGE', due, 0, 0, 'WITHSCORES')[2]) end
return { room <= 0 and left > 0 and 'limited' or #items > 0 and 'ok' or 'empty', 0, left, behind, math.min(1, call('EXISTS', 'sb:suppressed', 'sb:donotcall')), now + lease, unpack(items) }
