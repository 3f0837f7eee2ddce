"""The audit: what operators changed, who, when and from where, and how many; kept in the ledger."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson

from worker.ledger.keys import AUDIT_KEY, AUDITED_KEY
from worker.ledger.ledger import Ledger

KEEP_S = 400 * 86_400.0
"""How long a record is kept, unless the configuration says otherwise."""
SHOWN_IDS = 20
LONGEST = 1_000  # characters of one field
PAGE = 200  # records a round trip


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, and by which door."""

    who: str
    door: str
    """``cli`` or ``console``."""
    address: str = ""
    """The machine of the command line, or the peer of the console."""
    keep_s: float = KEEP_S

    def does(self, what: str, which: str = "") -> "Action":
        """Begin an action; every step of it that has an effect is counted in one record."""
        return Action(actor=self, what=what, which=which)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action of an operator, which may take many steps."""

    actor: Actor
    what: str
    """Such as ``dead.replay``: the command's own words."""
    which: str
    """The filters or the ids; never a whole phone number."""
    action_id: str = field(default_factory=lambda: uuid4().hex[:16])

    def dump(self) -> str:
        """Write it as the scripts want it."""
        named = (("who", self.actor.who), ("door", self.actor.door), ("from", self.actor.address))
        fields = [text for pair in (*named, ("what", self.what), ("which", self.which)) for text in pair]
        return orjson.dumps(
            {
                "id": self.action_id, "keep": round(self.actor.keep_s * 1000),
                "fields": [text.encode("utf-8", "replace").decode()[:LONGEST] for text in fields],
            }
        ).decode()  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """One record of the audit."""

    action_id: str
    at_ms: int
    who: str
    door: str
    address: str
    what: str
    which: str
    count: int


def dumped(action: Action | None) -> str:
    """Write an action for a script; empty for none."""
    return "" if action is None else action.dump()


def named(ids: Sequence[object]) -> str:
    """Return the first ids, and how many more there are."""
    shown = " ".join(map(str, ids[:SHOWN_IDS]))
    return shown if len(ids) <= SHOWN_IDS else f"{shown} and {len(ids) - SHOWN_IDS} more"


async def note(ledger: Ledger, action: Action, *, count: int = 1) -> None:
    """Record what is done elsewhere, such as a request to a vendor; nothing when ``count`` is 0."""
    await ledger.scripts.run("note", action.dump(), count)


async def audited(
    ledger: Ledger, *, since_ms: int | None = None, until_ms: int | None = None, who: str | None = None
) -> AsyncIterator[Audited]:
    """Return the records of the audit, the newest first."""
    newest: Any = "+inf" if until_ms is None else until_ms
    oldest: Any = "-inf" if since_ms is None else since_ms
    offset = 0
    while True:
        ids: Any = await ledger.redis.zrange(
            AUDIT_KEY, newest, oldest, desc=True, byscore=True, offset=offset, num=PAGE
        )
        async with ledger.redis.pipeline(transaction=False) as pipe:
            for action_id in ids:
                pipe.hgetall(f"{AUDITED_KEY}{action_id}")
            for action_id, fields in zip(ids, await pipe.execute(), strict=True):
                if fields and who in {None, fields.get("who")}:
                    yield _read(action_id, fields)
        if len(ids) < PAGE:
            return
        offset += PAGE


def _read(action_id: str, fields: dict[str, str]) -> Audited:
    return Audited(
        action_id=action_id, at_ms=int(fields["at"]), who=fields.get("who", ""), door=fields.get("door", ""),
        address=fields.get("from", ""), what=fields.get("what", ""), which=fields.get("which", ""),
        count=int(fields.get("n", 0)),
    )  # fmt: skip
