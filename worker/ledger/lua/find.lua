--@ index
-- find(now, most, ascending, since_ms or '', until_ms or '', facets as JSON, from place or '', chunk...)
-- -> {chunk or '', place, id...}: calls that have all these facets, the newest (or oldest) places first, and where to go
-- on: '' when all chunks are done. Each run does a bounded amount of work.
local most, ascending = tonumber(ARGV[2]), ARGV[3] == '1'
local since, before = tonumber(ARGV[4]), tonumber(ARGV[5])
local names, from = cjson.decode(ARGV[6]), tonumber(ARGV[7])
local budget = 60000 -- bytes of bitmaps looked at, some 5 ms
local found = {}

-- Gives the bitmaps of a chunk, the shortest first; nil when it has none of one facet.
local function bitmaps(chunk)
  local texts = {}
  for _, name in ipairs(names) do
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

-- Gives the eight places from 8 * at on that have all facets, as a byte.
local function byte_of(texts, at)
  local byte = 255
  for _, text in ipairs(texts) do
    byte = bit.band(byte, string.byte(text, at + 1) or 0)
    if byte == 0 then break end
  end
  return byte
end

-- Looks at the places of a chunk from `start` on; gives where to go on, or nil when it is done.
local function look(chunk, start)
  local texts = bitmaps(chunk)
  if not texts then return nil end
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
