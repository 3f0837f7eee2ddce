"""Webhook bodies by the ten thousand, through the receiver itself: each is stored or refused, none is an error."""

import json
import random
import re
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from schemas.delacon.events import StoredEvent, merge, parse_record, read_event
from tests.receiver.scripted import TOKEN, FakeLedger, Receiver

FLAT_KB = 20 * 1024
_PATHS = ("/services/calldata/create", "/services/calldata/update", "/services/calldata")
_KEYS = (
    "PLA_Call_Id", "PLA_Caller_Phone_Number", "PLA_CallStartTime", "PLA_CallResult", "PLA_Duration", "PLA_CID",
    "PLA_Answering_Point", "PLA_RecordingFile", "PLA_Landing_Page", "PLA_New", " PLA_Call_Id ",
    "", "x" * 300, "a\tb", "é\U0001f600",
)  # fmt: skip
_VALUES = (
    '"x"', '""', "null", "true", "-0", "1.10", "1e400", "123456789012345678901234567890", "[1,[2,{}]]", '{"a": 1.50}',
    '"0491570156"', '"1764378998123"',
    '"Unanswered"', '"50s"', '"https://example.com/?gclid=a"', '"\\ud83d"', '"\\ud83d\\ude00"',
    '"line\nbreak"', '"tab\there"', '"nul\0"', '"\\u0000"', '"\\\\"', '"\\"', "NaN", "01", "'x'",
    '"<b>&\u2028"', '"\ufeff"',
    '"E+10"', '" padded \\n "', '"{\\"PLA_Call_Id\\": \\"inner\\"}"',
)  # fmt: skip
_SLIPS = (
    b",",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\n",
    b"\t",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\\u",
    b":",
    b" ",
    b"e9",
)


def generate(dice: random.Random, number: int) -> bytes:
    """Make a body: an event with every kind of key and value, then slips of its sender."""
    keys = dice.choices(_KEYS, k=dice.choice((0, 1, 3, 8)))
    pairs = [(key, dice.choice(_VALUES)) for key in keys]
    if dice.random() < 0.8:
        pairs.insert(
            dice.randint(0, len(pairs)), ("PLA_Call_Id", dice.choice((f'"{number}"', f"{number}", f'" {number}"')))
        )
    text = dice.choice(("{%s}", "{%s,}", "\ufeff{%s}", " {\n%s\n} ", "[{%s}]", "{%s")) % dice.choice(
        (",", ", ", ",\n\t")
    ).join(f"{json.dumps(key, ensure_ascii=dice.random() < 0.5)}: {value}" for key, value in pairs)
    for _ in range(dice.choice((0, 0, 0, 0, 1, 2, 4))):
        text = json.dumps(text)
    body = text.encode(dice.choice(("utf-8",) * 9 + ("utf-16",)), "replace")
    if dice.random() < 0.4:
        body = _spoiled(dice, body)
    if dice.random() < 0.001:
        body = dice.choice(
            (b'{"a":' * 13_000, b"[" * 65_000, b'"' * 65_536, b'{"a": "' + b"\n" * 65_000, b" " * 70_000)
        )
    return body


def _spoiled(dice: random.Random, body: bytes) -> bytes:
    spoiled = bytearray(body)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(spoiled) + 1)
        match dice.randrange(3):
            case 0:
                spoiled[at : at + 1] = bytes([dice.randrange(256)])
            case 1:
                del spoiled[at : at + dice.randint(1, 9)]
            case _:
                spoiled[at:at] = dice.choice(_SLIPS)
    return bytes(spoiled)


def resident_kb() -> int:
    """Return the memory of this process."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))[1])  # type: ignore[index]


async def post_generated(receiver: Receiver, session: aiohttp.ClientSession, *, count: int) -> Counter[str]:
    """Post ``count`` bodies; hold each answer to the contract and return what became of them."""
    dice = random.Random(count)
    seen: Counter[str] = Counter()
    memory_kb = 0
    for number in range(count):
        body = generate(dice, number)
        url = f"{receiver.url}{dice.choice(_PATHS)}?token={TOKEN}"
        async with session.post(url, data=body) as response:
            answer = await response.json()
        assert ["PLA_Call_Id", "success", "error"] == list(answer), body
        assert all(isinstance(value, str) for value in answer.values()), body
        assert (response.status, answer["success"]) in {(200, "true"), (400, "false"), (413, "false")}, body
        seen[str(response.status)] += 1
        if response.status == 200:
            assert_stored(receiver.ledger, answer["PLA_Call_Id"], body)
        elif response.status == 400:
            assert [body] == [kept for kept, _, _ in receiver.ledger.bodies], body
        receiver.ledger.events.clear()
        receiver.ledger.groups.clear()
        receiver.ledger.bodies.clear()
        receiver.woken.clear()
        if number == count // 5:
            memory_kb = resident_kb()
    seen["grown_kb"] = resident_kb() - memory_kb
    return seen


def assert_stored(ledger: FakeLedger, call_id: str, body: bytes) -> None:
    """Say whether what was acknowledged is in the ledger, and makes a call."""
    ((stored_id, (record,)),) = ledger.events.items()
    assert call_id == stored_id
    kind, values = parse_record(record)
    assert read_event(body, path_kind="either").call_id == call_id
    event = StoredEvent(received_us=1_000_000, kind=kind, values=values)
    assert call_id == merge(call_id, [event], default_region="AU").call.call_id


def assert_all_was_met(seen: Counter[str], count: int) -> None:
    """Say whether the bodies were of every kind."""
    print(dict(seen))
    assert count == seen["200"] + seen["400"] + seen["413"]
    assert min(seen["200"], seen["400"]) > count / 10
    assert seen["grown_kb"] < FLAT_KB


async def test_two_thousand_generated_bodies_are_stored_or_quarantined(receiver, client):
    """No answer but 200, 400 and 413; what is acknowledged is stored, what is not is kept as it came."""
    assert_all_was_met(await post_generated(receiver, client, count=2_000), 2_000)


@pytest.mark.load
async def test_fifty_thousand_generated_bodies_are_stored_or_quarantined(receiver, client):
    """And the memory stays flat."""
    assert_all_was_met(await post_generated(receiver, client, count=50_000), 50_000)
