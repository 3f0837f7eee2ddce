-- The index of calls: each has a place in a chunk of ids, and for each facet (a service, a result, a destination, ...)
-- a chunk has one bit a place. The caller has a sorted set of its last four digits. Field `ix` of a call:
-- `chunk|place|service|result|caller digits`. A bit too many does no harm: whoever searches looks at the call itself.
local FACETS, CHUNK, CHUNKS, GONE, CHUNK_SIZE = 'sb:facets', 'sb:chunk', 'sb:chunks', 'sb:gone', 8192
local MOST = { s = 500, d = 1000, r = 200 } -- of each kind; what comes beyond shares number 0
local numbered = {}

-- Gives the short name of a service, a destination or a reason.
local function facet(kind, name)
  local field = kind .. ':' .. string.sub(name, 1, 64)
  local known = numbered[field]
  if known then return known end
  local number = call('HGET', FACETS, field)
  if not number then
    number = tonumber(call('HGET', FACETS, '#' .. kind) or '0') + 1
    if number > MOST[kind] then
      number = 0
    else
      call('HSET', FACETS, field, number, '#' .. kind, number)
    end
  end
  numbered[field] = kind .. number
  return numbered[field]
end

local function ids_key(chunk) return 'sb:ids:' .. chunk end
local function bits_key(name, chunk) return 'sb:bits:' .. name .. ':' .. chunk end
local function callers_key(digits) return 'sb:callers:' .. string.sub(digits, -4) end

local function mark(chunk, place, name) call('SETBIT', bits_key(name, chunk), place, 1) end

local function read_place(ix) return string.match(ix or '', '^(%-?%d+)|(%d+)|([^|]*)|([^|]*)|(.*)$') end

-- Gives a call its place in the newest chunk.
local newest_chunk
local function new_place(id, now)
  local chunk = newest_chunk or call('GET', CHUNK) or '0'
  local place = call('RPUSH', ids_key(chunk), id) - 1
  if place == 0 then call('ZADD', CHUNKS, int(now), chunk) end
  newest_chunk = place + 1 < CHUNK_SIZE and chunk or int(call('INCR', CHUNK))
  return chunk, place
end

-- Writes a call into the index; `about` is {service id, result's letter, caller's digits}, `before` the `ix` that the
-- call has, if any. Gives the new one, and the short name of the service.
local function index(id, about, before, now, chunk, place)
  local service, result, digits = facet('s', about[1]), about[2], about[3]
  local old_chunk, old_place, old_service, old_result, old_digits = read_place(before)
  if old_chunk then
    chunk, place = old_chunk, old_place
    if old_service ~= service then call('SETBIT', bits_key(old_service, chunk), place, 0) end
    if old_result ~= result then call('SETBIT', bits_key('c' .. old_result, chunk), place, 0) end
    if old_digits ~= digits and old_digits ~= '' then call('ZREM', callers_key(old_digits), old_digits .. ':' .. id) end
  elseif not chunk then
    chunk, place = new_place(id, now)
  end
  if old_service ~= service then mark(chunk, place, service) end
  if old_result ~= result then mark(chunk, place, 'c' .. result) end
  if old_digits ~= digits and digits ~= '' then call('ZADD', callers_key(digits), 0, digits .. ':' .. id) end
  return chunk .. '|' .. int(place) .. '|' .. service .. '|' .. result .. '|' .. digits, service, chunk, place
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
  call('DEL', ids_key(chunk))
  call('ZREM', CHUNKS, chunk)
  call('HDEL', GONE, chunk)
  local names = { 'ca', 'cu', 'cb', 'co', 'cn', 'eS', 'eC', 's0', 'd0', 'd0S', 'd0C', 'r0' }
  for kind in pairs(MOST) do
    for number = 1, tonumber(call('HGET', FACETS, '#' .. kind) or '0') do
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
  local chunk, place, service, result, digits = read_place(call('HGET', call_key(id), 'ix'))
  if not chunk then return end
  if digits ~= '' then call('ZREM', callers_key(digits), digits .. ':' .. id) end
  call('LSET', ids_key(chunk), place, '')
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
