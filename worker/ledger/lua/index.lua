-- The index of calls: each has a place in a chunk of ids, and for each facet (a service, a result, a destination, ...)
-- a chunk has one bit a place. The last eight digits of the callers stand in a text of the chunk, four bytes a place.
-- Field `ix` of a call: `chunk|place|service|result|`. A bit too many does no harm: whoever searches looks at the call
-- itself. What a run adds at the end of a chunk is written at its end, a few commands for all of its calls.
local FACETS, CHUNK, CHUNKS, GONE, CHUNK_SIZE = 'sb:facets', 'sb:chunk', 'sb:chunks', 'sb:gone', 8192
local MOST = { s = 500, d = 1000, r = 200, n = 1000 } -- of each kind; what comes beyond shares number 0
local DIGITS, NOBODY = 4, string.rep('\255', 4) -- bytes a caller; what stands where there is none
local floor, byte, char = math.floor, string.byte, string.char
local numbered = { s = {}, d = {}, r = {}, n = {} }

-- Returns the short name of a service, a destination or a reason.
local function facet(kind, name)
  local known = numbered[kind][name]
  if known then return known end
  local field = kind .. ':' .. string.sub(name, 1, 64)
  local number = call('HGET', FACETS, field)
  if not number then
    number = tonumber(call('HGET', FACETS, '#' .. kind) or '0') + 1
    if number > MOST[kind] then
      number = 0
    else
      call('HSET', FACETS, field, number, '#' .. kind, number)
    end
  end
  numbered[kind][name] = kind .. number
  return kind .. number
end

local function ids_key(chunk) return 'sb:ids:' .. chunk end
local function bits_key(name, chunk) return 'sb:bits:' .. name .. ':' .. chunk end
local function digits_key(chunk) return 'sb:digits:' .. chunk end

-- The last eight digits, two a byte; 15 stands for each that a shorter number lacks.
local function packed(digits)
  if digits == '' then return NOBODY end
  if #digits < 8 then digits = string.rep('?', 8 - #digits) .. digits end
  local a, b, c, d, e, f, g, h = byte(digits, -8, -1)
  return char(a % 16 * 16 + b % 16, c % 16 * 16 + d % 16, e % 16 * 16 + f % 16, g % 16 * 16 + h % 16)
end

-- The places that this run adds behind those of a chunk: their ids, their callers, and their bits in words of 32.
local added

local function add_to(chunk)
  added = { chunk = chunk, first = call('LLEN', ids_key(chunk)), ids = {}, digits = {}, bits = {} }
end

-- Writes what was added; `began` is the time of a chunk that was empty.
local function end_indexing(began)
  local new = added
  added = nil
  local count = new and #new.ids or 0
  if count == 0 then return end
  local chunk, first = new.chunk, new.first
  for from = 1, count, 1000 do call('RPUSH', ids_key(chunk), unpack(new.ids, from, math.min(from + 999, count))) end
  if first == 0 then call('ZADD', CHUNKS, int(began), chunk) end
  call('SETRANGE', digits_key(chunk), first * DIGITS, table.concat(new.digits))
  for name, words in pairs(new.bits) do
    if count == 1 then
      call('SETBIT', bits_key(name, chunk), first, 1)
    else
      local args = {}
      for number = 0, math.ceil(count / 32) - 1 do
        local size = math.min(32, count - 32 * number)
        if words[number] then
          local at = #args
          args[at + 1], args[at + 2], args[at + 3] = 'SET', 'u' .. size, first + 32 * number
          args[at + 4] = words[number] / 2 ^ (32 - size)
        end
      end
      call('BITFIELD', bits_key(name, chunk), unpack(args))
    end
  end
  if first + count >= CHUNK_SIZE then call('INCR', CHUNK) end
end

local function mark(chunk, place, name)
  if not added or chunk ~= added.chunk or place < added.first then
    call('SETBIT', bits_key(name, chunk), place, 1)
    return
  end
  local words = added.bits[name]
  if not words then
    words = {}
    added.bits[name] = words
  end
  if place ~= added.place then -- a call's marks come one after another
    local at = place - added.first
    added.place, added.number, added.bit = place, floor(at / 32), 2 ^ (31 - at % 32)
  end
  local number, bit = added.number, added.bit
  local word = words[number]
  if not word then
    words[number] = bit
  elseif floor(word / bit) % 2 == 0 then
    words[number] = word + bit
  end
end

local function read_place(ix)
  if not ix then return nil end
  local chunk, place, service, result = string.match(ix, '^(%-?%d+)|(%d+)|([^|]*)|([^|]*)|')
  return chunk, tonumber(place), service, result
end

-- Returns a call its place in the newest chunk.
local function new_place(id, digits, now)
  if added and added.first + #added.ids >= CHUNK_SIZE then end_indexing(now) end
  if not added then add_to(call('GET', CHUNK) or '0') end
  local at = #added.ids + 1
  added.ids[at], added.digits[at] = id, packed(digits)
  return added.chunk, added.first + at - 1
end

-- Who rang: callers as whole numbers in 1,024 sets for each 100 days, 8 bytes a caller.
local RANG_MS, RANG_PARTS = 8640000000, 1024

local function rang_key(period, digits)
  return 'sb:rang:' .. int(period) .. ':' .. int(tonumber(digits) % RANG_PARTS)
end

local RANGS = 'sb:rangs' -- the periods that have sets, by number
local rang_periods

-- The caller's sets of the periods of a span that have any.
local function rang_keys(digits, first, last)
  rang_periods = rang_periods or call('SMEMBERS', RANGS)
  local keys = {}
  for _, period in ipairs(rang_periods) do
    if tonumber(period) >= floor(first / RANG_MS) and tonumber(period) <= floor(last / RANG_MS) then
      keys[#keys + 1] = rang_key(tonumber(period), digits)
    end
  end
  return keys
end

-- Whether no earlier call of a caller is remembered, '1' or '0'; from now on one is. A set that begins is kept until all
-- of its period is forgotten.
local function is_first(digits, now, memory_ms)
  local period = floor(now / RANG_MS)
  local key = rang_key(period, digits)
  if call('SADD', key, digits) == 0 then return '0' end
  if call('SCARD', key) == 1 then
    call('PEXPIRE', key, int((period + 1) * RANG_MS - now + memory_ms))
    call('SADD', RANGS, int(period))
    call('PEXPIRE', RANGS, int(RANG_MS + memory_ms))
  end
  for _, earlier in ipairs(rang_keys(digits, now - memory_ms, now - RANG_MS)) do
    if call('SISMEMBER', earlier, digits) == 1 then return '0' end
  end
  return '1'
end

-- Writes a call into the index; `about` is {service id, result's letter, caller's digits}, `before` the `ix` that the
-- call has, if any. Gives the new one, the short name of the service, and the place.
local function index(id, about, before, now)
  local service, result = facet('s', about[1]), about[2]
  local chunk, place, old_service, old_result = read_place(before)
  if not chunk then
    chunk, place = new_place(id, about[3], now)
  else
    if old_service ~= service then call('SETBIT', bits_key(old_service, chunk), place, 0) end
    if old_result ~= result then call('SETBIT', bits_key('c' .. old_result, chunk), place, 0) end
    local digits, from = packed(about[3]), place * DIGITS
    if call('GETRANGE', digits_key(chunk), from, from + DIGITS - 1) ~= digits then
      call('SETRANGE', digits_key(chunk), from, digits)
    end
  end
  if old_service ~= service then mark(chunk, place, service) end
  if old_result ~= result then mark(chunk, place, 'c' .. result) end
  return chunk .. '|' .. place .. '|' .. service .. '|' .. result .. '|', service, chunk, place
end

-- Notes what became of a delivery, so that it is found by that; delivered and dead ones are found without.
local function mark_end(ix, dest, letter, reason)
  local chunk, place = read_place(ix)
  if not chunk then return end
  if letter == 'S' or letter == 'C' then
    mark(chunk, place, 'e' .. letter)
    mark(chunk, place, facet('d', dest) .. letter)
  end
  if reason ~= '' then mark(chunk, place, facet('r', reason)) end
end

-- Removes all bits of a chunk of which every call is gone.
local function drop_chunk(chunk)
  call('DEL', ids_key(chunk), digits_key(chunk))
  call('ZREM', CHUNKS, chunk)
  call('HDEL', GONE, chunk)
  local names = { 'ca', 'cu', 'cb', 'co', 'cn', 'eS', 'eC', 's0', 'd0', 'd0S', 'd0C', 'r0' }
  for kind in pairs(MOST) do
    for number = 1, kind == 'n' and 0 or tonumber(call('HGET', FACETS, '#' .. kind) or '0') do
      names[#names + 1] = kind .. number
      if kind == 'd' then
        names[#names + 1], names[#names + 2] = 'd' .. number .. 'S', 'd' .. number .. 'C'
      end
    end
  end
  for _, name in ipairs(names) do call('DEL', bits_key(name, chunk)) end
end

-- Takes a call that is about to be removed out of the index.
local function unindex(id)
  local chunk, place, service, result = read_place(call('HGET', call_key(id), 'ix'))
  if not chunk then return end
  call('LSET', ids_key(chunk), place, '')
  call('SETRANGE', digits_key(chunk), place * DIGITS, NOBODY)
  local gone = call('HINCRBY', GONE, chunk, 1)
  if gone >= call('LLEN', ids_key(chunk)) and chunk ~= (call('GET', CHUNK) or '0') then return drop_chunk(chunk) end
  local function clear(name) call('SETBIT', bits_key(name, chunk), place, 0) end
  clear(service)
  clear('c' .. result)
  clear('eS')
  clear('eC')
  each_delivery(id, function(dest, _, d)
    local name = facet('d', dest)
    clear(name)
    if d and (d.state == 'S' or d.state == 'C') then clear(name .. d.state) end
  end)
end
