-- accept(now, grace_ms, max_events, max_bytes, max_taken, size, [id, received_us, record(, digest(, shape))]...)
-- -> one letter an item: N new, W new and its call waits for another event, S same, R remembered, F failed; O beyond
-- max_events: to be given again with a digest and a shape; M too many events, L too large: not stored, for its call has
-- no room; T not stored, for its sender does not speak for the call.
-- All items have one size (3 to 5), so that the usual one is short. The digest may be empty: SHA-1 takes Redis 3 us for
-- an event, but 250 us for one of 60 KB, which has it made before.
-- The work an item is constant. Which events are in is known by digests (fields h:0 to h:f of the call), how much they
-- are by a count (hb bytes, hk kinds, of the first hn events); an older version writes neither, so what it stored is
-- counted once. Beyond max_events, field `x:KIND:SHAPE` holds the latest received event of those that have the same
-- keys: it overrides every value of the others, so they are not needed. `x:KIND` is the first receipt of the kind, as an
-- event without keys; xn counts the events that were folded so.
local now = now_ms()
local soon = now + tonumber(ARGV[2])
local now_text, wait_until = int(now), int(soon)
local MAX_EVENTS, MAX_BYTES, MAX_TAKEN = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local SIZE = tonumber(ARGV[6])
local FOLDING = SIZE == 5
local KINDS = 5 -- the first event of each finds room kept for it: a flood of starts must not keep the end out
local MARK = 16
-- Redis keeps a hash of short values as one list and searches it (up to 512 entries, of 4 KB as the docs advise): with
-- hundreds of events each look-up takes 2 us instead of 0.2. One longer value, in `hp`, makes it a table for good.
local LARGE, PAD = 16, 4100

-- As workers plan now (sign_in.lua): how long a start waits for its end, an end for its start, and whether a start alone
-- is delivered. By the letter of an event; where none says so, each event is for the planner to look at.
local patience = redis.pcall('GET', PATIENCE)
local end_wait, start_wait, early = string.match(type(patience) == 'string' and patience or '', '^(%d+) (%d+) (%d) ')
if early == '1' then end_wait = nil end
local WAIT_OF = { [115] = end_wait, [113] = end_wait, [101] = start_wait, [112] = start_wait } -- s, q, e, p

-- What stands behind the time of the receipt; a pattern would take three times as long.
local function record_of(stored)
  local blank = stored and string.find(stored, ' ', 1, true)
  return blank and string.sub(stored, blank + 1) or ''
end

-- A number as text: Redis writes one that a script hands it with 17 digits, which costs as much as a look-up.
local SMALL = { '1', '2', '3', '4', '5', '6', '7', '8', '9' }
local function text_of(n) return SMALL[n] or int(n) end

local function with_kind(kinds, kind)
  return string.find(kinds, kind, 1, true) and kinds or kinds .. kind
end

-- Where a digest (SHA-1, in hex) is kept, and what is kept of it.
local function place_of(digest) return 'h:' .. string.sub(digest, 1, 1), ' ' .. string.sub(digest, 2, MARK) end

-- Why a call has no room for so many bytes; nil when it does.
local function no_room(bytes, is_first)
  if bytes > (is_first and MAX_BYTES or MAX_BYTES * 3 / 4) then return 'L' end
end

-- Returns the bytes and the kinds of a call's events, after digesting those that are not yet.
local function counted(key, n)
  local c = call('HMGET', key, 'hn', 'hb', 'hk')
  local done, bytes, kinds = tonumber(c[1] or '0'), tonumber(c[2] or '0'), c[3] or ''
  if done < n then
    local fields, marks = {}, {}
    for i = done + 1, n do
      local record = record_of(call('HGET', key, 'e' .. i))
      local place, mark = place_of(redis.sha1hex(record))
      bytes, kinds = bytes + #record + MARK, with_kind(kinds, string.sub(record, 1, 1))
      marks[place] = (marks[place] or call('HGET', key, place) or '') .. mark
    end
    for place, text in pairs(marks) do fields[#fields + 1], fields[#fields + 2] = place, text end
    if n >= LARGE then fields[#fields + 1], fields[#fields + 2] = 'hp', string.rep('.', PAD) end
    call('HSET', key, 'hn', n, 'hb', int(bytes), 'hk', kinds, unpack(fields))
  end
  return bytes, kinds
end

-- Stores an event as it came, and its digest.
local function append(id, key, n, received, record, bytes, kinds, place, marks)
  call('ZADD', WAITS, wait_until, id)
  call('HSET', key, 'n', n + 1, 'e' .. (n + 1), received .. ' ' .. record, 'hn', n + 1,
    'hb', int(bytes + #record + MARK), 'hk', with_kind(kinds, string.sub(record, 1, 1)), place, marks)
  if n + 1 == LARGE then call('HSET', key, 'hp', string.rep('.', PAD)) end
  return 'N'
end

-- Stores a further event of a call that has three or more.
local function add(id, key, n, received, record, digest)
  local bytes, kinds = counted(key, n)
  local place, mark = place_of(digest ~= '' and digest or redis.sha1hex(record))
  local marks = call('HGET', key, place) or ''
  if string.find(marks, mark, 1, true) then return 'S' end
  local why = no_room(bytes + #record, not string.find(kinds, string.sub(record, 1, 1), 1, true))
  return why or append(id, key, n, received, record, bytes, kinds, place, marks .. mark)
end

-- Stores an event beyond max_events, and gives nil when its call is no longer there.
local function fold(id, key, received, record, digest, shape)
  local kind = string.sub(record, 1, 1)
  local place, mark = place_of(digest)
  local first, slot = 'x:' .. kind, 'x:' .. kind .. ':' .. shape
  local c = call('HMGET', key, 'n', 'hn', 'hb', 'hk', 'xn', place, first, slot)
  if not c[1] then return nil end
  local n, bytes, kinds, taken = tonumber(c[1]), tonumber(c[3] or '0'), c[4] or '', tonumber(c[5] or '0')
  local marks = c[6] or ''
  if tonumber(c[2] or '0') < n then
    bytes, kinds = counted(key, n)
    marks = call('HGET', key, place) or ''
  end
  if string.find(marks, mark, 1, true) then return 'S' end
  local is_first = not string.find(kinds, kind, 1, true)
  if is_first and n < MAX_EVENTS then
    return no_room(bytes + #record, true) or append(id, key, n, received, record, bytes, kinds, place, marks .. mark)
  end
  if n + taken >= MAX_TAKEN then return 'M' end
  local fields, at = { 'xn', taken + 1, place, marks .. mark }, tonumber(received)
  if not c[7] or at < tonumber(string.match(c[7], '^%d+')) then
    fields[5], fields[6] = first, received .. ' ' .. kind .. '{}'
  end
  local text = received .. ' ' .. record
  local before = c[8] and tonumber(string.match(c[8], '^%d+'))
  if #record > 3 and (not before or at > before or (at == before and text > c[8])) then
    fields[#fields + 1], fields[#fields + 2] = slot, text
    bytes = bytes + #text - (c[8] and #c[8] or -#slot)
  end
  local why = no_room(bytes, false)
  if why then return why end
  call('ZADD', WAITS, wait_until, id)
  call('HSET', key, 'hb', int(bytes + MARK), unpack(fields))
  return 'N'
end

-- Until when the planner would let a call wait that has these kinds of events, and now one more, received then; nil
-- where it is to look now: the call has what it waited for, or may have been planned as ready.
local function end_of_wait(key, kinds, kind, received)
  local wait = WAIT_OF[kind]
  if kinds ~= '' then
    if not wait or kind == 101 or string.find(kinds, '[ec]') then return nil end
    if (call('HGET', key, 'st') or 'w') ~= 'w' then return nil end
    if string.find(kinds, '[sq]') then wait = end_wait end
  end
  local deadline = wait and math.floor(received / 1000) + wait
  return deadline and deadline > soon and int(deadline) or nil
end

local function take(id, key, received, record, digest, shape)
  local answer = FOLDING and fold(id, key, received, record, digest, shape)
  if answer then return answer end
  local head = call('HMGET', key, 'n', 'e1') -- an event is nearly always the first or the second of its call
  local n = tonumber(head[1] or '0')
  if n >= MAX_EVENTS - KINDS then return 'O' end
  if n > 2 then return add(id, key, n, received, record, digest) end
  local bytes, kinds = 0, ''
  if n == 0 then
    if call('EXISTS', remembered_key(id)) == 1 then return 'R' end
  else
    for i = 1, n do
      local stored = record_of(i == 1 and head[2] or call('HGET', key, 'e2'))
      if stored == record then return 'S' end
      bytes, kinds = bytes + #stored, kinds .. string.sub(stored, 1, 1)
    end
  end
  local why = no_room(bytes + #record, not string.find(kinds, string.sub(record, 1, 1), 1, true))
  if why then return why end
  if n == 0 then call('ZADD', CALLS, now_text, id) end
  local deadline = end_of_wait(key, kinds, string.byte(record), received)
  if deadline and n > 0 then
    call('ZADD', WAITS, 'LT', deadline, id) -- the event that was received first counts, whichever came in first
  else
    call('ZADD', WAITS, deadline or wait_until, id)
  end
  local place = text_of(n + 1)
  call('HSET', key, 'n', place, 'e' .. place, received .. ' ' .. record)
  return deadline and 'W' or 'N'
end

-- The service of a call: as its marked events said, else as one of its first events says.
local function service_of(key)
  local c = call('HMGET', key, 'sv', 'e1', 'e2', 'e3')
  for i = 2, c[1] and 1 or 4 do
    local service = c[i] and string.match(c[i], '[{,]"a":"([^"\\]*)"')
    if service then return service end
  end
  return c[1]
end

-- A record may stand behind its sender's mark (sender_mark.py): `@name`, the event's service, or `?name`, all of the
-- sender's, a line each. It joins a call of one of these alone, and begins one only with a service of its own.
local function accept(id, received, record, digest, shape)
  local key, mark = call_key(id), string.byte(record)
  if mark ~= 64 and mark ~= 63 then return take(id, key, received, record, digest, shape) end
  local services, bare = string.match(record, '^[^\n]*(\n.*\n)([^\n]*)$')
  if call('HEXISTS', key, 'n') == 1 then
    local service = service_of(key)
    if not service or not string.find(services, '\n' .. service .. '\n', 1, true) then return 'T' end
  elseif mark == 63 and call('EXISTS', remembered_key(id)) == 0 then
    return 'T'
  end
  local answer = take(id, key, received, bare, digest, shape)
  if mark == 64 and (answer == 'N' or answer == 'W') then call('HSETNX', key, 'sv', string.sub(services, 2, -2)) end
  return answer
end

local answers = {}
for i = 7, #ARGV, SIZE do
  local digest = SIZE > 3 and ARGV[i + 3] or ''
  local ok, answer = pcall(accept, ARGV[i], ARGV[i + 1], ARGV[i + 2], digest, FOLDING and ARGV[i + 4])
  if not ok then
    local text = type(answer) == 'table' and answer.err or tostring(answer)
    -- A key of the wrong type spoils its own item; memory, replica and disk faults refuse the whole group.
    if not string.find(text, 'WRONGTYPE', 1, true) then return redis.error_reply(text) end
    answer = 'F'
  end
  answers[#answers + 1] = answer
end
return table.concat(answers)
