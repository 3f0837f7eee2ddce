"""Alerts in the ledger: which causes hold, and the messages that wait for each target, told once and in order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from worker.ledger.keys import ALERT_DUE_KEY, ALERT_HEAD_KEY, ALERT_LINE_KEY, ALERTS_KEY, ALERTS_SENT_KEY
from worker.ledger.ledger import Ledger

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What is known of one cause of one rule at a moment."""

    alert: str
    on: bool
    since_ms: int | None = None
    """Since when, where that is known; else it is when it was first seen."""
    hold_ms: int
    """How long it must hold before a message begins."""
    clear_ms: int
    """How long it must not hold before it has ended."""
    may: bool
    """Whether a message may be sent now, the first or another one."""
    targets: Sequence[str]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def shape(self) -> dict[str, Any]:
        """Return the values that the script takes."""
        shape: dict[str, Any] = {
            "id": self.alert, "on": self.on, "hold": self.hold_ms, "clear": self.clear_ms, "may": self.may,
            "to": list(self.targets), "facts": orjson.dumps(dict(self.facts)).decode(),
        }  # fmt: skip
        return shape if self.since_ms is None else {**shape, "since": self.since_ms}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: the same text, with the same id, at each try."""

    message_id: str
    kind: str
    """``begun``, ``lasts``, ``ended`` or ``test``."""
    alert: str
    """The id of the cause; empty for a test."""
    since_ms: int
    begun_ms: int
    at_ms: int
    facts: Mapping[str, Any]

    @property
    def cause(self) -> str:
        """Return the cause's name; ``test`` for a test."""
        return self.alert.partition("-")[0] or "test"

    @classmethod
    def parse(cls, text: str) -> "Message":
        """Read what the scripts write."""
        values = orjson.loads(text)
        return cls(
            message_id=values["id"], kind=values["kind"], alert=values["alert"], since_ms=int(values["since"]),
            begun_ms=int(values["begun"]), at_ms=int(values["at"]), facts=orjson.loads(values["facts"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """The first message of a target's line, claimed by this process until its lease ends."""

    target: str
    fence: int
    number: int
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A cause that holds."""

    alert: str
    since_ms: int
    begun_ms: int | None
    """When it was told; ``None``: not yet."""
    told_ms: int | None
    facts: Mapping[str, Any]

    @property
    def cause(self) -> str:
        """Return the cause's name."""
        return self.alert.partition("-")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A target's line of messages."""

    target: str
    waiting: int
    next_ms: int
    tries: int
    """Of the first one."""
    reason: str
    """Why it failed last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message that was delivered or given up."""

    target: str
    outcome: str
    """``delivered`` or ``dead``."""
    at_ms: int
    tries: int
    reason: str
    message: Message


async def note(ledger: Ledger, noted: Sequence[Noted]) -> int:
    """Note what holds now; return how many messages were put into line."""
    text = orjson.dumps([one.shape() for one in noted]).decode()
    return int(await ledger.scripts.run("alert_note", DAY_MS, text))


async def put_test(ledger: Ledger, target: str, facts: Mapping[str, Any]) -> str:
    """Put a test message into a target's line; return its id."""
    message_id = f"test-{uuid4().hex[:16]}"
    await ledger.scripts.run("alert_put", message_id, target, "test", orjson.dumps(dict(facts)).decode())
    return message_id


async def claim(ledger: Ledger, targets: Iterable[str], *, lease_ms: int) -> list[ClaimedMessage]:
    """Take the first message of each of these lines that may be tried now."""
    found = await ledger.scripts.run("alert_claim", lease_ms, *targets)
    return [ClaimedMessage(target, fence, number, Message.parse(text)) for target, fence, number, text in found]


async def finish(
    ledger: Ledger, claimed: ClaimedMessage, outcome: str, *, delay_s: float = 0, reason: str = ""
) -> bool:
    """End a claim as ``delivered``, ``dead`` or ``retry``; ``False``: its lease had ended, and nothing changed."""
    delay_ms = round(delay_s * 1000)
    plain = reason.replace("|", "/").replace("\n", " ")
    answer = await ledger.scripts.run("alert_finish", claimed.target, claimed.fence, outcome, delay_ms, plain)
    return bool(answer == 1)


async def standing(ledger: Ledger) -> list[Standing]:
    """Return the causes that hold, the longest first."""
    texts: Any = await ledger.redis.hgetall(ALERTS_KEY)
    found = [_standing(alert, orjson.loads(text)) for alert, text in texts.items()]
    return sorted(found, key=lambda one: one.since_ms)


def _standing(alert: str, state: Mapping[str, Any]) -> Standing:
    begun, told = state.get("begun"), state.get("told")
    return Standing(
        alert=alert, since_ms=int(state["since"]), begun_ms=None if begun is None else int(begun),
        told_ms=None if told is None else int(told), facts=orjson.loads(state.get("facts", "{}")),
    )  # fmt: skip


async def lines(ledger: Ledger) -> list[Line]:
    """Return the lines in which messages wait."""
    due: Any = await ledger.redis.zrange(ALERT_DUE_KEY, 0, -1, withscores=True)
    found = []
    for target, at in due:
        async with ledger.redis.pipeline(transaction=False) as pipe:
            pipe.llen(f"{ALERT_LINE_KEY}{target}")
            pipe.hmget(f"{ALERT_HEAD_KEY}{target}", "tries", "reason")
            waiting, (tries, reason) = await pipe.execute()
        found.append(Line(target=target, waiting=waiting, next_ms=int(at), tries=int(tries or 0), reason=reason or ""))
    return [line for line in found if line.waiting]


async def sent(ledger: Ledger, *, limit: int = 200) -> list[Sent]:
    """Return the messages that are done with, the newest first."""
    texts: Any = await ledger.redis.lrange(ALERTS_SENT_KEY, 0, limit - 1)
    found = []
    for text in texts:
        header, _, message = text.partition("\n")
        target, outcome, at, tries, reason = header.split("|", 4)
        found.append(
            Sent(
                target=target, outcome=outcome, at_ms=int(at), tries=int(tries), reason=reason,
                message=Message.parse(message),
            )
        )  # fmt: skip
    return found
