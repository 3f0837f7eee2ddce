"""The sample calls: read from a file of webhooks, sent through the real receiver."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import aiohttp

from deploy.local.fault import StackFault
from schemas.delacon import read_event

CALLS = Path(__file__).with_name("calls.jsonl")
EXPECTED = Path(__file__).with_name("expected.json")

_NOW = re.compile(r"\{\{now_ms-(\d+)\}\}")
_ANSWER = aiohttp.ClientTimeout(total=10)

PathKind = Literal["create", "update", "either"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One request as Delacon would send it."""

    call_id: str
    kind: PathKind
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Give the path of the receiver that takes it (contract, section 5)."""
        return "/services/calldata" + ("" if self.kind == "either" else f"/{self.kind}")


def read_webhooks(file: Path, *, now_ms: int) -> list[Webhook]:
    """Read a file of webhooks, one JSON object a line: a path, and a body as JSON or raw.

    ``{{now_ms-N}}`` in a line becomes the moment N milliseconds before ``now_ms``.
    """
    webhooks = []
    for line in file.read_text(encoding="utf-8").splitlines():
        value = json.loads(_NOW.sub(lambda match: str(now_ms - int(match[1])), line))
        kind: PathKind = value["path"]
        text = value["raw"] if "raw" in value else json.dumps(value["body"], ensure_ascii=False)
        body = text.encode()
        webhooks.append(Webhook(call_id=read_event(body, path_kind=kind).call_id, kind=kind, body=body))
    return webhooks


def read_expected(file: Path) -> dict[str, dict[str, str]]:
    """Read what is to become of the sample calls: call id, then destination, to the outcome."""
    expected: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return expected


async def play(
    webhooks: Iterable[Webhook], *, url: str, token: str, session: aiohttp.ClientSession, leave_out: Collection[str]
) -> None:
    """Send webhooks one after the other, as their order is part of the sample, but for calls to be left out.

    Raises ``StackFault`` when the receiver does not take one.
    """
    for webhook in webhooks:
        if webhook.call_id in leave_out:
            continue
        try:
            async with session.post(
                f"{url}{webhook.path}", params={"token": token}, data=webhook.body, timeout=_ANSWER
            ) as reply:
                answer = await reply.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise StackFault(f"the receiver gave no answer to a sample call ({type(error).__name__})") from error
        if answer.get("success") != "true":
            raise StackFault(f"the receiver refused {webhook.call_id}: {answer.get('error')}")
