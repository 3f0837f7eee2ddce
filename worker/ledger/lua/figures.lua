-- What happened, counted by the scripts that make it happen. A series is a hash of counts for 120 hours, or for 120
-- minutes: small enough that Redis keeps it as one list, some 7 bytes a count.
local SPAN, HOUR, MINUTE = 120, 3600000, 60000
local KEEP_HOURS, KEEP_MINUTES = 405 * 86400000, 52 * HOUR
local LATENCIES = { 500, 1000, 2000, 5000, 15000, 60000, 300000, 1800000, 7200000 } -- upper bounds in ms (figures.py)
local counted, counted_shortly = {}, {} -- by facet and kind

local function add_count(counts, facet, kind)
  local kinds = counts[facet]
  if not kinds then
    kinds = {}
    counts[facet] = kinds
  end
  kinds[kind] = (kinds[kind] or 0) + 1
end

-- Counts for a facet; `shortly`: the kind that is counted by the minute too.
local function count(facet, kind, shortly)
  add_count(counted, facet, kind)
  if shortly then add_count(counted_shortly, facet, shortly) end
end

local function write_counts(prefix, counts, unit, keep, now)
  local at = math.floor(now / unit)
  local span, field = int(math.floor(at / SPAN)), int(at % SPAN)
  for facet, kinds in pairs(counts) do
    for kind, n in pairs(kinds) do
      local key = prefix .. facet .. ':' .. kind .. ':' .. span
      if call('HINCRBY', key, field, n) == n and call('HLEN', key) == 1 then call('PEXPIRE', key, keep) end
    end
  end
end

-- Writes what was counted in this run.
local function end_counting(now)
  write_counts('sb:hours:', counted, HOUR, KEEP_HOURS, now)
  write_counts('sb:minutes:', counted_shortly, MINUTE, KEEP_MINUTES, now)
end

local function bucket_of(ms)
  for i, most in ipairs(LATENCIES) do
    if ms <= most then return i - 1 end
  end
  return #LATENCIES
end

-- Counts the end of a delivery for its destination and for the service of its call, both as facets; `latency` is the
-- time from call to CRM where a create was delivered, which counts for its tracking number too.
local function count_end(dest, service, letter, reason, latency, tracking)
  local kind = latency and letter .. bucket_of(latency) or letter
  count(dest, letter == 'S' and 'S:' .. facet('r', reason) or kind, letter)
  if service then add_count(counted, service, kind) end
  if latency and tracking then add_count(counted, tracking, kind) end
end
