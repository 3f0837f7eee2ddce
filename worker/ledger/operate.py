"""What an operator does to the ledger: replay, drop, pause, resume, suppress, erase; whole or not at all."""

from collections.abc import Iterable, Sequence

from schemas.delivery import DeliveryKey
from worker.ledger.ledger import Ledger

_SHUT = ("paused", "blocked", "blocked_at", "open", "probe_at", "probe_last", "probe_wait")
_COUNTED = ("fails", "fail_first", "fail_multi", "refused")


async def replay(ledger: Ledger, keys: Sequence[DeliveryKey]) -> list[bool]:
    """Put dead letters back, a create before what follows it; ``False`` for each key that is no dead letter."""
    order = sorted(range(len(keys)), key=lambda place: keys[place].action != "create")
    answers = await ledger.scripts.run("replay", *(str(keys[place]) for place in order))
    replayed = dict(zip(order, answers, strict=True))
    return [replayed[place] == 1 for place in range(len(keys))]


async def drop(ledger: Ledger, keys: Sequence[DeliveryKey]) -> list[bool]:
    """Take dead letters off the list for good; ``False`` for each key that is no dead letter."""
    return [answer == 1 for answer in await ledger.scripts.run("drop", *map(str, keys))]


async def wake(ledger: Ledger, destinations: Iterable[str]) -> None:
    """Let the next clock tick wake these destinations, though a wake-up may be outstanding."""
    names = [f"sb:wake:{name}" for name in destinations]
    if names:
        await ledger.redis.delete(*names)


async def pause(ledger: Ledger, destination: str) -> bool:
    """Take nothing more from a destination's queue, which keeps growing; ``False`` when it was paused already."""
    return bool(await ledger.redis.hsetnx(f"sb:gate:{destination}", "paused", str(await ledger.now_ms())))


async def resume(ledger: Ledger, destination: str) -> dict[str, str]:
    """Open a destination that is paused, blocked or whose circuit is open; give what had shut it."""
    gate = f"sb:gate:{destination}"
    async with ledger.redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(gate)
        pipe.hdel(gate, *_SHUT, *_COUNTED)
        pipe.delete(f"sb:wake:{destination}")
        was, *_ = await pipe.execute()
    return {name: was[name] for name in ("paused", "blocked", "open") if name in was}


async def suppress(ledger: Ledger, number: str) -> bool:
    """Make no lead for a number (E.164) any more; ``False`` when it was on the list already."""
    return bool(await ledger.redis.sadd("sb:suppressed", number))


async def unsuppress(ledger: Ledger, *numbers: str) -> bool:
    """Take numbers (E.164) off the list; ``False`` when none was on it."""
    return bool(await ledger.redis.srem("sb:suppressed", *numbers))


async def forget_bodies(ledger: Ledger, body_ids: Sequence[str]) -> list[bool]:
    """Take bodies out of quarantine; ``False`` for each that is not there."""
    return [answer == 1 for answer in await ledger.scripts.run("forget", *body_ids)]


async def erase_calls(ledger: Ledger, call_ids: Sequence[str], *, remember_s: float) -> list[bool]:
    """Remove calls with their deliveries and dead letters, whatever state they are in; ``False`` for unknown ones.

    The ids stay remembered, so that a late event does not bring the call back.
    """
    return [answer == 1 for answer in await ledger.scripts.run("erase", round(remember_s * 1000), *call_ids)]


async def erase_memory(ledger: Ledger, caller: str, destinations: Iterable[str]) -> int:
    """Forget a caller (E.164) at these destinations; give how many memories there were."""
    digits = caller.removeprefix("+")
    names = [key for name in destinations for key in (f"sb:memo:{name}:{digits}", f"sb:follow:{name}:{caller}")]
    return int(await ledger.redis.delete(*names)) if names else 0


async def erase_follow_up(ledger: Ledger, caller: str, call_id: str, destinations: Iterable[str]) -> None:
    """Forget one call's part in the missed-call follow-up of its caller (E.164)."""
    for name in destinations:
        await ledger.redis.zrem(f"sb:follow:{name}:{caller}", f"a{call_id}", f"m{call_id}")
