-- schema(now, epoch, format or '', written format, beats) -> {the beat before, [field, value, ...]}.
-- Returns the ledger an epoch where it has none: it is new, or was emptied. Its format is then `format`, where whoever
-- asks knows it, else 1 where there are calls (an earlier version wrote them) and the one that is written now where
-- there are none. `beats`: 1 notes that somebody looked, by which one sees later that an older state was put back.
local now = now_ms()
local SCHEMA = 'sb:schema'
if call('HEXISTS', SCHEMA, 'epoch') == 0 then
  local format = ARGV[3]
  if format == '' then format = call('EXISTS', CALLS, DESTS) > 0 and '1' or ARGV[4] end
  call('HSET', SCHEMA, 'epoch', ARGV[2], 'since', int(now))
  call('HSETNX', SCHEMA, 'format', format)
end
local before = call('HGET', SCHEMA, 'beat') or '0'
-- It only grows, also where the clock of a new primary is behind: less than before is an older state.
if ARGV[5] == '1' then call('HSET', SCHEMA, 'beat', int(math.max(now, tonumber(before) + 1))) end
return { before, call('HGETALL', SCHEMA) }
