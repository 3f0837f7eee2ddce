--@ index
-- find(now, most, ascending, since_ms or '', until_ms or '', JSON of {facets, numbers, whole}, from place or '', chunk...)
-- -> {chunk or '', place, id...}: calls that have all these facets and one of the numbers, if there are any, as their
-- caller (`whole`) or at its end, the newest (or oldest) places first, and where to go on: '' when all chunks are done.
-- Each run does a bounded amount of work.
local most, ascending = tonumber(ARGV[2]), ARGV[3] == '1'
local since, before = tonumber(ARGV[4]), tonumber(ARGV[5])
local asked, from = cjson.decode(ARGV[6]), tonumber(ARGV[7])
local budget = 60000 -- bytes of bitmaps looked at, some 5 ms
local found = {}

-- Returns the bitmaps of a chunk, the shortest first; nil when it has none of one facet.
local function bitmaps(chunk)
  local texts = {}
  for _, name in ipairs(asked.facets) do
    local text = call('GET', bits_key(name, chunk))
    if not text or not string.find(text, '[^%z]') then return nil end
    if texts[1] and #text < #texts[1] then texts[#texts + 1], texts[1] = texts[1], text else texts[#texts + 1] = text end
  end
  return texts
end

local function take(chunk, place)
  local id = call('LINDEX', ids_key(chunk), place)
  if not id or id == '' then return end
  if since or before then
    local at = tonumber(call('ZSCORE', CALLS, id) or '-1')
    if (since and at < since) or (before and at > before) then return end
  end
  found[#found + 1] = id
end

-- What to look for in the text of callers: whole bytes, how many bytes of the caller stand before them, and a digit
-- that the last of those must end with.
local patterns = {}
for _, number in ipairs(asked.numbers or {}) do
  local text = packed(number)
  local size = (asked.whole or #number >= 2 * DIGITS) and DIGITS or math.floor(#number / 2)
  local skip = DIGITS - size
  local digit = size < DIGITS and #number % 2 == 1 and tonumber(string.sub(number, 1, 1))
  patterns[#patterns + 1] = { bytes = string.sub(text, skip + 1), skip = skip, digit = digit }
end

-- Returns the places of a chunk whose callers have one of the numbers, as a set.
local function called_by(chunk)
  local places, text = {}, call('GET', digits_key(chunk)) or ''
  budget = budget - 500
  for _, one in ipairs(patterns) do
    local at = string.find(text, one.bytes, 1, true)
    while at do
      budget = budget - 1
      if (at - 1) % DIGITS == one.skip and (not one.digit or string.byte(text, at - 1) % 16 == one.digit) then
        places[(at - 1 - one.skip) / DIGITS] = true
      end
      at = string.find(text, one.bytes, at + 1, true)
    end
  end
  return places
end

-- Looks at the places of a chunk that have one of the numbers, from `start` on; gives where to go on, or nil.
local function look_at_callers(chunk, start, texts)
  local places = {}
  for place in pairs(called_by(chunk)) do
    if not start or (ascending and place >= start) or (not ascending and place <= start) then
      places[#places + 1] = place
    end
  end
  table.sort(places, ascending and function(a, b) return a < b end or function(a, b) return a > b end)
  for _, place in ipairs(places) do
    if #found >= most or (budget <= 0 and #found > 0) then return place end -- a run comes on, whatever it costs
    local bit_of, has_all = bit.rshift(128, place % 8), true
    for _, text in ipairs(texts) do
      has_all = has_all and bit.band(string.byte(text, math.floor(place / 8) + 1) or 0, bit_of) ~= 0
    end
    if has_all then
      take(chunk, place)
      budget = budget - 20
    end
  end
  return nil
end

-- Returns the eight places from 8 * at on that have all facets, as a byte.
local function byte_of(texts, at)
  local byte = 255
  for _, text in ipairs(texts) do
    byte = bit.band(byte, string.byte(text, at + 1) or 0)
    if byte == 0 then break end
  end
  return byte
end

-- Looks at the places of a chunk from `start` on; returns where to go on, or nil when it is done.
local function look(chunk, start)
  local texts = bitmaps(chunk)
  if not texts then return nil end
  if asked.numbers then return look_at_callers(chunk, start, texts) end
  local size = texts[1] and #texts[1] or math.ceil(call('LLEN', ids_key(chunk)) / 8)
  local step = ascending and 1 or -1
  local at = ascending and 0 or size - 1
  if start and (ascending or start < size * 8) then at = math.floor(start / 8) end
  while at >= 0 and at < size do
    local byte = byte_of(texts, at)
    budget = budget - 1
    if byte ~= 0 then
      for i = ascending and 0 or 7, ascending and 7 or 0, step do
        local place = at * 8 + i
        local due = not start or (ascending and place >= start) or (not ascending and place <= start)
        if due and bit.band(byte, bit.rshift(128, i)) ~= 0 then
          if #found >= most or budget <= 0 then return place end
          take(chunk, place)
          budget = budget - 20
        end
      end
    elseif budget <= 0 then
      return at * 8 + (ascending and 0 or 7)
    end
    at = at + step
  end
  return nil
end

for i = 8, #ARGV do
  if #found >= most or budget <= 0 then return { ARGV[i], ascending and 0 or CHUNK_SIZE, unpack(found) } end
  local place = look(ARGV[i], i == 8 and from or nil)
  if place then return { ARGV[i], int(place), unpack(found) } end
  budget = budget - 100
end
return { '', 0, unpack(found) }
