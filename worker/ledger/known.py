"""Says what the ledger holds of calls before anything is handed in; changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import ResponseError

from worker.ledger.ledger import Ledger
from worker.ledger.records import StoredCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is held of the calls that were asked for."""

    calls: Mapping[str, StoredCall]
    remembered: frozenset[str]
    """Those of which the id alone is left: whatever comes of them is not taken again."""


async def look_up(ledger: Ledger, call_ids: Sequence[str]) -> Known:
    """Look calls up by their ids, whole; raises ``redis.RedisError``.

    A foreign key in the place of a call is no call: accepting says what there is to say of it.
    """
    ids = list(dict.fromkeys(call_ids))
    async with ledger.redis.pipeline(transaction=False) as pipe:
        for call_id in ids:
            pipe.exists(f"sb:m:{call_id}")
            pipe.hgetall(f"sb:c:{call_id}")
        answers = await pipe.execute(raise_on_error=False)
    calls: dict[str, StoredCall] = {}
    remembered = set()
    for call_id, is_remembered, fields in zip(ids, answers[::2], answers[1::2], strict=True):
        for answer in (is_remembered, fields):
            if isinstance(answer, Exception) and not _is_foreign(answer):
                raise answer
        if is_remembered == 1:
            remembered.add(call_id)
        if isinstance(fields, dict) and (call := StoredCall.parse(call_id, fields)):
            calls[call_id] = call
    return Known(calls=calls, remembered=frozenset(remembered))


def _is_foreign(error: Exception) -> bool:
    return isinstance(error, ResponseError) and "WRONGTYPE" in str(error)
