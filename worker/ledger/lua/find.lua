--@ index
-- find(now, most, ascending, since_ms or '', until_ms or '', facets as JSON, from place or '', chunk...)
-- -> {chunk or '', place, id...}: calls that have all these facets, the newest (or oldest) places first, and where to go
-- on: '' when all chunks are done. Each run does a bounded amount of work.
local most, ascending = tonumber(ARGV[2]), ARGV[3] == '1'
local since, before = tonumber(ARGV[4]), tonumber(ARGV[5])
local names, from = cjson.decode(ARGV[6]), tonumber(ARGV[7])
local budget = 60000 -- bytes of bitmaps looked at, some 5 ms
local found = {}

local function has(text, place)
  local byte = string.byte(text, math.floor(place / 8) + 1)
  return byte and math.floor(byte / 2 ^ (7 - place % 8)) % 2 == 1
end

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

-- Looks at the places of a chunk from `start` on; gives where to go on, or nil when it is done.
local function look(chunk, start)
  local texts = bitmaps(chunk)
  if not texts then return nil end
  local last = texts[1] and #texts[1] * 8 or call('LLEN', ids_key(chunk))
  local place, step, stop = ascending and 0 or last - 1, ascending and 1 or -1, ascending and last or -1
  if start and (ascending or start < place) then place = start end
  while place ~= stop do
    if #found >= most or budget <= 0 then return place end
    if texts[1] and place % 8 == (ascending and 0 or 7) and string.byte(texts[1], math.floor(place / 8) + 1) == 0 then
      place, budget = place + 8 * step, budget - 1
    else
      local all = true
      for _, text in ipairs(texts) do all = all and has(text, place) end
      if all then
        take(chunk, place)
        budget = budget - 20
      end
      place, budget = place + step, budget - 0.5
    end
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
