"""Fills a ledger with many calls at once: a script within Redis copies a few that came in and ended the real way."""

import time
from collections.abc import Sequence

import orjson
from redis.asyncio import Redis

from tests.bench import bodies
from tests.bench.seed import plan_of
from tests.bench.system import DESTINATIONS
from worker.ledger.ledger import Ledger
from worker.ledger.records import Finish, Incoming, Verdict
from worker.ledger.scripts import needed, shared

SERVICES = 50
SPAN_MS = 28 * 86_400_000  # over which the calls came in
A_RUN = 2_000  # calls copied by one script
MODELS = {99_000_001: "ended", 99_000_002: "given up", 99_000_003: "waiting"}
SHARES = ("ended",) * 97 + ("given up", "waiting", "ended")  # of 100 calls

_COPY = """
-- copy(now, first, amount, total, span_ms, destinations, JSON of {number, fields, due, dead} for each of 100 calls)
local now, first, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local total, span, models = tonumber(ARGV[4]), tonumber(ARGV[5]), cjson.decode(ARGV[7])
local dests = cjson.decode(ARGV[6])
local letters = { 'a', 'a', 'u', 'b' }
local words = { a = 'Answered', u = 'Unanswered', b = 'Busy' }
local at
for number = first, first + amount - 1 do
  local model, digits = models[number % 100 + 1], string.format('%08d', number)
  local id, service, letter = '1' .. digits, tostring(100 + number * 7 % 50), letters[number % 4 + 1]
  at = now - span + math.floor(span / total * number)
  local fields = {}
  for i, text in ipairs(model.fields) do
    if i % 2 == 0 then
      text = string.gsub(text, model.number, digits)
      text = string.gsub(text, '"a":"123"', '"a":"' .. service .. '"')
      text = string.gsub(text, '"Answered"', '"' .. words[letter] .. '"')
    end
    fields[i] = text
  end
  local ix, short, chunk, place = index(id, { service, letter, '614' .. digits }, nil, at)
  fields[#fields + 1], fields[#fields + 2] = 'ix', ix
  call('HSET', call_key(id), unpack(fields))
  call('ZADD', CALLS, int(at), id)
  count(short, 'c' .. letter, 'c' .. letter)
  for _, dest in ipairs(dests) do
    mark(chunk, place, facet('d', dest))
    if model.due then call('ZADD', due_key(dest), int(at), id .. ':create')
    elseif model.dead then
      call('ZADD', dead_key(dest), int(at), id .. ':create')
      mark_end(ix, dest, 'X', 'rejected')
      count_end(facet('d', dest), short, 'X', 'rejected')
    else count_end(facet('d', dest), short, 'D', '', 700 + number % 9 * 300) end
  end
end
end_indexing(at)
end_counting(at)
return amount
"""


async def fill(url: str, *, calls: int) -> None:
    """Make calls of 50 services and three results, over four weeks: of 100 one was given up and one waits."""
    async with Redis.from_url(url, decode_responses=True) as redis:
        ledger = Ledger(redis)
        models = await _models(ledger)
        run = redis.register_script(needed(shared("prelude", "index", "figures"), _COPY) + _COPY)
        now_ms, wire = await ledger.now_ms(), orjson.dumps([models[name] for name in SHARES]).decode()
        names = orjson.dumps(DESTINATIONS).decode()
        for first in range(0, calls, A_RUN):
            await run(args=[now_ms, first, min(A_RUN, calls - first), calls, SPAN_MS, names, wire])
        await ledger.redis.set("sb:filled", "0")


async def _models(ledger: Ledger) -> dict[str, dict[str, object]]:
    now_us, models = time.time_ns() // 1000, {}
    for number, name in MODELS.items():
        call_id = bodies.id_of(number).decode()
        start, end = bodies.records_of(number)
        await ledger.accept([Incoming(call_id, now_us, start), Incoming(call_id, now_us + 1, end)])
        await ledger.plan([plan_of(number, DESTINATIONS)])
        if name != "waiting":
            for destination in DESTINATIONS:
                await _end(ledger, destination, Verdict.DEAD if name == "given up" else Verdict.DELIVERED)
        found = await ledger.redis.hgetall(f"sb:c:{call_id}")
        fields = [text for pair in found.items() if pair[0] != "ix" for text in pair]
        models[name] = {
            "number": f"{number:08d}", "fields": fields, "due": name == "waiting", "dead": name == "given up",
        }  # fmt: skip
    return models


async def _end(ledger: Ledger, destination: str, verdict: Verdict) -> None:
    claim = await ledger.claim(destination, want=1, lease_ms=60_000)
    ends: Sequence[Finish] = [
        Finish(key=one.key, fence=one.fence, verdict=verdict, reason="rejected" if verdict is Verdict.DEAD else "")
        for one in claim.items
    ]
    await ledger.finish(ends)
