"""A crowd that only holds doors keeps no webhook out: half-open connections by the thousand, and who never reads."""

import asyncio
import json
import time
from statistics import median

import aiohttp
import pytest

from tests.acceptance.receiver_process import TOKEN, event, until
from tests.crowd import crowd_before

P99_S = 0.1
RATE = 50.0
SECONDS = 6.0
WINDOWS = 3


async def webhooks(receiver, *, seconds: float, kept: bool) -> list[float]:
    """Post at a steady rate, on kept connections or on one each; return how long each answer took."""
    connector = aiohttp.TCPConnector(limit=0, force_close=not kept)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=10)) as session:
        begun = time.monotonic()
        tasks: list[asyncio.Task[tuple[int, float]]] = []
        while time.monotonic() - begun < seconds:
            tasks.append(asyncio.create_task(receiver.post(session, event(len(tasks)))))
            await asyncio.sleep(1 / RATE)
        answers = await asyncio.gather(*tasks)
    assert {200} == {status for status, _ in answers}
    return sorted(took for _, took in answers)


@pytest.mark.parametrize("kept", [False, True])
async def test_four_thousand_half_open_connections_keep_no_webhook_waiting(make_receiver, session, kept):
    """Of 40 addresses, with 200 that ask and never read: the 99th percentile of the webhooks stays under 100 ms.

    While they stand there, in the middle one of three looks: what else the machine does must not decide.
    """
    receiver = make_receiver()
    with crowd_before(receiver.port, token=TOKEN, seconds=120) as crowd:
        looks = [await webhooks(receiver, seconds=3.0, kept=kept)]  # they are arriving
        assert crowd.stdout
        assert "there\n" == await asyncio.to_thread(crowd.stdout.readline)
        looks += [await webhooks(receiver, seconds=SECONDS, kept=kept) for _ in range(WINDOWS)]
        status, parts = await receiver.readyz(session)

    late_s = [waits[len(waits) * 99 // 100] for waits in looks]
    for waits, late in zip(looks, late_s, strict=True):
        print(f"p50 {waits[len(waits) // 2] * 1000:.1f}, p99 {late * 1000:.1f}, max {waits[-1] * 1000:.1f} ms")
    assert median(late_s[1:]) < P99_S
    assert 200 == status
    assert {"connections", "silent", "unread"} & set(parts["refused"])
    lines = [line for line in receiver.log().splitlines() if '"event":"webhook.taken"' not in line]
    assert len(lines) < 20
    assert not [line for line in lines if "Traceback" in line]


async def test_a_connection_that_asks_nothing_or_reads_nothing_is_put_out(make_receiver, session):
    """The others of its address go on."""
    receiver = make_receiver()
    half = await asyncio.open_connection("127.0.0.1", receiver.port)
    half[1].write(b"POST /services/calldata HTTP/1.1\r\nX-Half")
    kept = aiohttp.ClientSession()
    async with kept:
        assert 200 == (await receiver.post(kept, event(1)))[0]
        begun = time.monotonic()
        assert b"" == await asyncio.wait_for(half[0].read(), 15)
        assert 3 < time.monotonic() - begun < 9
        assert 200 == (await receiver.post(kept, event(2)))[0]
    half[1].close()
    _, parts = await receiver.readyz(session)

    assert {"silent": 1} == parts["refused"]


@pytest.mark.parametrize("limit", [10])
async def test_more_connections_than_may_be_are_hung_up_on_unread(make_receiver, limit):
    """Those inside, who have posted, go on; one that leaves makes room."""
    receiver = make_receiver(config=f'[receiver]\ntokens = ["{TOKEN}"]\nmax_connections = {limit}\n')
    body = json.dumps(event(1)).encode()
    asked = f"POST /services/calldata?token={TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"

    async def ask(reader, writer) -> bytes:
        writer.write(asked.encode() + body)
        try:
            return await asyncio.wait_for(reader.read(4096), 5)
        except ConnectionError:
            return b""

    inside = [await asyncio.open_connection("127.0.0.1", receiver.port) for _ in range(limit)]
    assert all([(await ask(*one)).startswith(b"HTTP/1.1 200") for one in inside])
    late = await asyncio.open_connection("127.0.0.1", receiver.port)
    assert b"" == await ask(*late)
    late[1].close()
    assert all([(await ask(*one)).startswith(b"HTTP/1.1 200") for one in inside])
    inside[0][1].close()

    async def comes_in() -> bool:
        again = await asyncio.open_connection("127.0.0.1", receiver.port)
        answer = await ask(*again)
        again[1].close()
        return answer.startswith(b"HTTP/1.1 200")

    await until(comes_in, seconds=5)
    for _, writer in inside:
        writer.close()
