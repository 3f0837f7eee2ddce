-- alert_note(now, daily_ms, json) -> how many messages were put into line.
-- What holds of each cause at this moment, as JSON: a list of {id, on, since, hold, clear, may, to, facts}. A message
-- is put into the line of each target (`to`) when a cause begins (it has held for `hold` ms and may be told now), once
-- each `daily_ms` while it lasts, and when it has not held for `clear` ms. Whoever asks twice changes nothing.
local now, daily = now_ms(), tonumber(ARGV[2])
local ALERTS, DUE = 'sb:alerts', 'sb:alertdue'
local KEPT_MS, LONGEST, STALE_MS = 30 * 86400000, 1000, 86400000
local answer = 0

local function tell(one, state, kind, count)
  local number = kind == 'lasts' and '-' .. int(count) or ''
  local message = cjson.encode({
    id = one.id .. '-' .. int(state.begun) .. '-' .. kind .. number, kind = kind, alert = one.id,
    since = int(state.since), begun = int(state.begun), at = int(now), facts = state.facts,
  })
  for _, target in ipairs(one.to) do
    local line = 'sb:alertline:' .. target
    if call('LLEN', line) < LONGEST then
      answer = answer + 1
      if call('RPUSH', line, message) == 1 then call('ZADD', DUE, int(now), target) end
      call('PEXPIRE', line, KEPT_MS)
    end
  end
end

for _, one in ipairs(cjson.decode(ARGV[3])) do
  local text = call('HGET', ALERTS, one.id)
  local state = text and cjson.decode(text)
  if one.on then
    state = state or { since = math.min(one.since or now, now), days = 0 }
    state.clear, state.facts = nil, one.facts
    if not state.begun and now - state.since >= one.hold and one.may then
      state.begun, state.told = now, now
      tell(one, state, 'begun')
    elseif state.begun and now - state.told >= daily and one.may then
      state.told, state.days = now, state.days + 1
      tell(one, state, 'lasts', state.days)
    end
  elseif state and not state.begun then
    call('HDEL', ALERTS, one.id)
    state = nil
  elseif state then
    state.clear = state.clear or now
    if now - state.clear >= one.clear then
      tell(one, state, 'ended')
      call('HDEL', ALERTS, one.id)
      state = nil
    end
  end
  if state then
    state.seen = now
    call('HSET', ALERTS, one.id, cjson.encode(state))
  end
end
-- Of a rule that was changed, or that is no longer there.
local all = call('HGETALL', ALERTS)
for i = 1, #all, 2 do
  if now - cjson.decode(all[i + 1]).seen > STALE_MS then call('HDEL', ALERTS, all[i]) end
end
return answer
