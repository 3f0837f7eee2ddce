"""The receiver's memory under hostile bodies."""

import asyncio
import gzip
import json
import random

import aiohttp
import pytest

from schemas.delacon.call_keys import CALL_ID, DOCUMENTED_KEYS
from tests.acceptance.receiver_process import TOKEN, ReceiverProcess, event, until

GROWTH_BYTES = 5 * 1024 * 1024
ODD_VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 10**30, 1e308, "", " ", "\x00", "\ud800", "\u202e", "0" * 40, "+61 491 570 156",
    "anonymous", "A" * 70_000, "é" * 5_000, [], {}, [[[[]]]], {"PLA_CID": 1}, ["x"] * 500, "99999999999999999999",
    "-5s", "1e9", "NaN",
)  # fmt: skip

GZIP = {"Content-Encoding": "gzip"}
BOMB = gzip.compress(b" " * 20_000_000)


def mutated(dice: random.Random) -> bytes:
    """Make an event of the schema's keys, some with odd values, some written oddly, and perhaps bytes changed."""
    values: dict[str, object] = dict(event(dice.randrange(10**9)))
    for key in dice.sample(sorted(DOCUMENTED_KEYS | {CALL_ID}), dice.randrange(1, 12)):
        name = dice.choice([key, key, key, key.lower(), f" {key}", f"{key}\u0000"])
        values[name] = dice.choice(ODD_VALUES)
    body = bytearray(json.dumps(values, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass"))
    for _ in range(dice.choice([0, 0, 1, 5])):
        body[dice.randrange(len(body))] = dice.randrange(256)
    return bytes(body)


def hostile(dice: random.Random) -> tuple[bytes, dict[str, str]]:
    """Make one of the adversary's bodies, and its headers: every other one mutated from the schema."""
    if dice.random() < 0.5:
        return mutated(dice), {}
    good = json.dumps(event(dice.randrange(10**9))).encode()
    noise = dice.randbytes(2000)
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (b"x" * 1_000_000, {}),
        (b"[" * 60_000, {}),
        (b'{"a":' * 100 + b"1" + b"}" * 100, {}),
        (b'{"PLA_Call_Id":NaN}', {}),
        (b'{"PLA_Call_Id":' + b"9" * 60_000 + b"}", {}),
        (noise, {}),
        (gzip.compress(good), GZIP),
        (BOMB, GZIP),
        (noise, GZIP),
        (b'{"PLA_Call_Id":"a","PLA_Call_Id":"b"' + b',"k":1' * 5000 + b"}", {}),
        (good[: dice.randrange(len(good))], {}),
        (good.replace(b"61", noise[:2]), {"Content-Encoding": "deflate"}),
        (good, {"Authorization": "Basic " + "A" * 5000}),
        (b'{"PLA_Call_Id":"' + b"\\ud800" * 50 + b'"}', {}),
    ]
    return dice.choice(bodies)


async def attack(receiver, count, *, seed):
    """Send hostile bodies, some of them with a wrong token; return the statuses."""
    dice = random.Random(seed)
    statuses: dict[int, int] = {}
    async with aiohttp.ClientSession() as session:

        async def lane(number):
            for _ in range(number):
                body, headers = hostile(dice)
                token = TOKEN if dice.random() < 0.9 else "wrong"
                url = f"{receiver.url}/services/calldata?token={token}"
                try:
                    async with session.post(url, data=body, headers=headers) as response:
                        assert ["PLA_Call_Id", "success", "error"] == list(await response.json())
                        statuses[response.status] = statuses.get(response.status, 0) + 1
                except aiohttp.ClientConnectionError:
                    # Hung up on while it was still sending: no answer, and no acknowledgement.
                    statuses[0] = statuses.get(0, 0) + 1

        await asyncio.gather(*(lane(count // 16) for _ in range(16)))
    return statuses


@pytest.mark.load
async def test_ten_thousand_hostile_bodies_leave_no_trace_in_memory(tmp_path, redis_url):
    """No 500, no crash; what it holds after 10,000 is within 5 MB of what it held after 1,000."""
    receiver = ReceiverProcess(tmp_path, redis_url)
    receiver.start()
    try:
        first = await attack(receiver, 1008, seed=1)
        after_1000 = receiver.rss_bytes()
        second = await attack(receiver, 9008, seed=2)
        after_10000 = receiver.rss_bytes()
        async with aiohttp.ClientSession() as session:
            await until(lambda: receiver.post(session, event(1)))
    finally:
        receiver.stop()
    print(f"RSS after 1,000: {after_1000 / 1e6:.1f} MB, after 10,000: {after_10000 / 1e6:.1f} MB; {second}")

    assert {*first, *second} <= {0, 200, 400, 401, 413}
    assert second.get(0, 0) < 100
    assert after_10000 - after_1000 < GROWTH_BYTES
    assert "Traceback" not in receiver.log()
