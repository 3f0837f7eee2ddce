"""Webhooks to send: read from a file, or generated."""

import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from schemas.delacon.events import PathKind, UnusableBody, read_event

_NOW = re.compile(r"\{\{\s*now_ms\s*([+-]\s*\d+)?\s*\}\}")
_KINDS = ("create", "update", "either")
_RESULTS = ("Answered", "Answered", "Answered", "Unanswered", "Busy")
_FICTION = "+61491570"
"""Numbers of this prefix ring nobody: the Australian authority keeps 0491 570 xxx for fiction."""


class BadWebhooks(Exception):
    """Raised for a file of webhooks that cannot be sent; ``faults`` has a sentence for each bad line."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One request as Delacon would send it."""

    call_id: str
    """Empty when the body is meant to be unusable."""
    kind: PathKind
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """Return the path of the receiver that takes it (contract, section 5)."""
        return "/services/calldata" + ("" if self.kind == "either" else f"/{self.kind}")


def read_file(text: str, *, now_ms: int) -> list[Webhook]:
    """Read a file of webhooks; raises ``BadWebhooks`` with every line that is none.

    One JSON object a line, with ``path`` (create, update, either) and ``body`` (JSON) or ``raw`` (text as it is sent);
    or one event, or a list of events. ``{{now_ms-N}}`` becomes the moment N milliseconds ago.
    """
    text = _NOW.sub(lambda match: str(now_ms + int((match[1] or "0").replace(" ", ""))), text)
    events = _events(text)
    if events is not None:
        return [_webhook("either", json.dumps(event, ensure_ascii=False)) for event in events]
    webhooks, faults = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        webhook = _line(line)
        if webhook is None:
            faults.append(f"line {number}: must be an object with path ({', '.join(_KINDS)}) and body or raw")
        else:
            webhooks.append(webhook)
    if faults:
        raise BadWebhooks(faults)
    return webhooks


def generate(count: int, *, now_ms: int, rng: Random) -> Iterator[Sequence[Webhook]]:
    """Make calls of made-up callers, each a start and an end; their ids are like no earlier ones."""
    run = secrets.token_hex(4)
    for number in range(count):
        call_id = f"send-{run}-{number + 1}"
        start = {
            "PLA_Call_Id": call_id, "PLA_CID": "123", "PLA_Dealer_Name": "Smith Law Sydney",
            "PLA_Dealer_Category": "Legal", "PLA_Number_Dialed": "0255501234", "PLA_City": "Sydney",
            "PLA_Caller_Phone_Number": f"{_FICTION}{rng.randrange(1000):03}", "PLA_State": "NSW",
            "PLA_CallStartTime": f"{now_ms - rng.randrange(600_000):020}", "PLA_Search_Type": "paid",
            "PLA_Landing_Page": f"https://www.example.com/?gclid={run}{number}&utm_source=google",
        }  # fmt: skip
        result = rng.choice(_RESULTS)
        seconds = rng.randrange(5, 600) if result == "Answered" else 0
        end = {"PLA_Call_Id": call_id, "PLA_CID": "123", "PLA_CallResult": result, "PLA_Duration": f"{seconds}s"}
        yield [
            Webhook(call_id=call_id, kind="create", body=json.dumps(start).encode()),
            Webhook(call_id=call_id, kind="update", body=json.dumps(end).encode()),
        ]


TEST_CALLER = f"{_FICTION}006"


def test_call(call_id: str, *, service: str, now_ms: int) -> list[Webhook]:
    """Make one answered call of a number that rings nobody; ``service``: its id, empty for none."""
    shared = {"PLA_Call_Id": call_id} | ({"PLA_CID": service} if service else {})
    begin = {
        **shared, "PLA_Caller_Phone_Number": TEST_CALLER, "PLA_Dealer_Name": "Switchboard test call",
        "PLA_CallStartTime": f"{now_ms - 60_000:020}",
    }  # fmt: skip
    ended = {**shared, "PLA_CallResult": "Answered", "PLA_Duration": "42s"}
    return [
        Webhook(call_id=call_id, kind="create", body=json.dumps(begin).encode()),
        Webhook(call_id=call_id, kind="update", body=json.dumps(ended).encode()),
    ]


def _events(text: str) -> list[Any] | None:
    """Return the events of a file that holds one JSON value and no paths; ``None`` for one of lines."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    events = value if isinstance(value, list) else [value]
    return None if any(isinstance(event, dict) and "path" in event for event in events) else events


def _line(line: str) -> Webhook | None:
    """Read a line; ``None`` when it is no webhook."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or value.get("path") not in _KINDS or not value.keys() & {"body", "raw"}:
        return None
    text = value["raw"] if "raw" in value else json.dumps(value["body"], ensure_ascii=False)
    return _webhook(value["path"], text) if isinstance(text, str) else None


def _webhook(kind: str, text: str) -> Webhook:
    body = text.encode("utf-8", "surrogatepass")
    path_kind = cast("PathKind", kind)
    try:
        call_id = read_event(body, path_kind=path_kind).call_id
    except UnusableBody:
        call_id = ""
    return Webhook(call_id=call_id, kind=path_kind, body=body)
