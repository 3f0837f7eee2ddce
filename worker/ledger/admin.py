"""The operators' actions on the ledger: one script does each of them and writes it into the audit.

``by`` is the operator's action; without it the audit does not record the change.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from schemas.delivery import DeliveryKey, State
from worker.ledger.audit import Action, dumped
from worker.ledger.keys import FOLLOW_KEY, MEMORY_KEY, WAKE_KEY
from worker.ledger.ledger import Ledger
from worker.ledger.records import STATES

_LETTERS = {state: letter for letter, state in STATES.items()}


async def replay(ledger: Ledger, keys: Sequence[DeliveryKey], *, by: Action | None = None) -> list[bool]:
    """Put dead letters back, a create before what follows it; ``False`` for each key that is no dead letter."""
    return await put_back(ledger, keys, by, letters=_LETTERS[State.DEAD], reason="replayed")


async def deliver_again(
    ledger: Ledger, keys: Sequence[DeliveryKey], *, states: Iterable[State], by: Action | None = None
) -> list[bool]:
    """Make final deliveries due again, delivered ones too; ``False`` for each that is in none of these final states."""
    return await put_back(ledger, keys, by, letters="".join(_LETTERS[state] for state in states), reason="redelivered")


async def put_back(
    ledger: Ledger, keys: Sequence[DeliveryKey], by: Action | None, *, letters: str, reason: str,
    forgetting: bool = False,
) -> list[bool]:  # fmt: skip
    """Make final deliveries of these states (letters) due again, a create before what follows it."""
    order = sorted(range(len(keys)), key=lambda place: keys[place].action != "create")
    answers = await ledger.scripts.run(
        "replay", dumped(by), letters, reason, int(forgetting), *(str(keys[place]) for place in order)
    )
    replayed = dict(zip(order, answers, strict=True))
    return [replayed[place] == 1 for place in range(len(keys))]


async def drop(ledger: Ledger, keys: Sequence[DeliveryKey], *, by: Action | None = None) -> list[bool]:
    """Take dead letters off the list for good; ``False`` for each key that is no dead letter."""
    return await _each(ledger, "drop", keys, by)


async def retry(ledger: Ledger, keys: Sequence[DeliveryKey], *, by: Action | None = None) -> list[bool]:
    """Make deliveries due now, whatever their wait; ``False`` for each that does not wait for its time."""
    return await _each(ledger, "hurry", keys, by)


async def cancel(ledger: Ledger, keys: Sequence[DeliveryKey], *, by: Action | None = None) -> list[bool]:
    """Cancel deliveries that are not sent; ``False`` for each that is final, under way or not there."""
    return await _each(ledger, "cancel", keys, by)


async def _each(ledger: Ledger, script: str, ids: Iterable[object], by: Action | None) -> list[bool]:
    return [answer == 1 for answer in await ledger.scripts.run(script, dumped(by), *map(str, ids))]


async def wake(ledger: Ledger, destinations: Iterable[str]) -> None:
    """Let the next clock tick wake these destinations, though a wake-up may be outstanding."""
    names = [f"{WAKE_KEY}{name}" for name in destinations]
    if names:
        await ledger.redis.delete(*names)


async def pause(ledger: Ledger, destination: str, *, by: Action | None = None) -> bool:
    """Pause a destination, whose queue keeps growing; ``False`` when it was paused already."""
    return bool(await ledger.scripts.run("pause", dumped(by), destination))


async def resume(ledger: Ledger, destination: str, *, by: Action | None = None) -> dict[str, str]:
    """Resume a destination that is paused, blocked or whose circuit is open; return what had held it."""
    found = await ledger.scripts.run("resume", dumped(by), destination)
    was = dict(zip(found[::2], found[1::2], strict=True))
    return {name: was[name] for name in ("paused", "blocked", "open") if name in was}


async def suppress(ledger: Ledger, *numbers: str, by: Action | None = None) -> bool:
    """Put numbers (E.164) on the list that no lead is made for; ``False`` when all were on it already."""
    return bool(await ledger.scripts.run("suppress", dumped(by), "SADD", *numbers))


async def unsuppress(ledger: Ledger, *numbers: str, by: Action | None = None) -> bool:
    """Take numbers (E.164) off the list; ``False`` when none was on it."""
    return bool(await ledger.scripts.run("suppress", dumped(by), "SREM", *numbers))


async def forget_bodies(ledger: Ledger, body_ids: Sequence[str], *, by: Action | None = None) -> list[bool]:
    """Take bodies out of quarantine; ``False`` for each that is not there."""
    return await _each(ledger, "forget", body_ids, by)


async def erase_calls(
    ledger: Ledger, call_ids: Sequence[str], *, remember_s: float, by: Action | None = None
) -> list[bool]:
    """Remove calls with their deliveries and dead letters, whatever state they are in; ``False`` for unknown ones.

    The ids stay remembered, so that a late event does not bring the call back.
    """
    answers = await ledger.scripts.run("erase", dumped(by), round(remember_s * 1000), *call_ids)
    return [answer == 1 for answer in answers]


async def erase_memory(
    ledger: Ledger, caller: str, destinations: Iterable[str], *, remember_s: float | None = None
) -> int:
    """Forget a caller (E.164) at these destinations; return how many memories there were.

    ``remember_s`` is ``calls.remember``, for so long a caller counts as one who has rung before.
    """
    digits = caller.removeprefix("+")
    remember_ms = ledger.timings.memory if remember_s is None else round(remember_s * 1000)
    await ledger.scripts.run("forget_caller", remember_ms, digits)
    names = [key for name in destinations for key in (f"{MEMORY_KEY}{name}:{digits}", f"{FOLLOW_KEY}{name}:{caller}")]
    return int(await ledger.redis.delete(*names)) if names else 0


async def erase_follow_up(ledger: Ledger, caller: str, call_id: str, destinations: Iterable[str]) -> None:
    """Forget one call's part in the missed-call follow-up of its caller (E.164)."""
    for name in destinations:
        await ledger.redis.zrem(f"{FOLLOW_KEY}{name}:{caller}", f"a{call_id}", f"m{call_id}")


async def redeliver(ledger: Ledger, keys: Sequence[DeliveryKey], *, by: Action | None = None) -> list[bool]:
    """Make delivered deliveries due again and forget their callers; ``False`` for each that is not delivered."""
    return await put_back(ledger, keys, by, letters="D", reason="reconciled", forgetting=True)


async def memories(ledger: Ledger, destination: str, groups: Sequence[str]) -> list[Mapping[str, str]]:
    """Return what is remembered of callers (their groups) at a destination; empty where nothing is."""
    if not groups:
        return []
    texts: Any = await ledger.redis.mget([f"{MEMORY_KEY}{destination}:{group}" for group in groups])
    return [orjson.loads(text) if text else {} for text in texts]
