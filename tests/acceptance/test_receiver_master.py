"""Several receivers behind one master: spread, replaced, revived, and ended with it."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from functools import partial
from pathlib import Path

import aiohttp

from tests.acceptance.receiver_process import TOKEN, ReceiverProcess, event, stored, until

RATE = 200.0
TWO = ("--processes", "2")


def serving(receiver: ReceiverProcess) -> list[int]:
    """Return the processes of the receivers that a master keeps."""
    children = Path(f"/proc/{receiver.pid}/task/{receiver.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def count(receiver: ReceiverProcess, name: str) -> int:
    """Count an event in the log."""
    return sum(json.loads(line)["event"] == name for line in receiver.log().splitlines() if line.startswith("{"))


def reloaded(receiver: ReceiverProcess, times: int) -> bool:
    """Say whether so many receivers have taken the place of others."""
    return count(receiver, "receiver.reloaded") == times


async def refuses(port: int) -> bool:
    """Say whether nobody takes connections."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def push(receiver: ReceiverProcess, answers: Counter[str], *, ended: asyncio.Event) -> None:
    """Push webhooks at a steady rate, half of them over connections of their own, as Delacon may; count the answers."""
    began, number = time.monotonic(), 0
    tasks: set[asyncio.Task[None]] = set()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as kept:

        async def one(number: int) -> None:
            try:
                if number % 2:
                    status, _ = await receiver.post(kept, event(number))
                else:
                    async with aiohttp.ClientSession() as own:
                        status, _ = await receiver.post(own, event(number))
            except (aiohttp.ClientError, OSError) as error:
                answers[type(error).__name__] += 1
            else:
                answers[str(status)] += 1

        while not ended.is_set():
            tasks.add(asyncio.create_task(one(number)))
            number += 1
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
        await asyncio.gather(*tasks)


async def test_a_reload_refuses_nothing(make_receiver, redis_url):
    """Three reloads under 200 webhooks a second: every one is answered 200, and stored."""
    receiver = make_receiver(arguments=TWO)
    await until(lambda: count(receiver, "receiver.listening") == 2)
    first = set(serving(receiver))
    answers: Counter[str] = Counter()
    ended = asyncio.Event()
    load = asyncio.create_task(push(receiver, answers, ended=ended))
    for reload in range(1, 4):
        os.kill(receiver.pid, signal.SIGHUP)
        await until(partial(reloaded, receiver, 2 * reload), seconds=60)
        await until(lambda: len(serving(receiver)) == 2, seconds=60)
    ended.set()
    await load
    receiver.stop()

    assert {"200"} == answers.keys()
    assert answers["200"] == len(await stored(redis_url))
    assert 2 == len(first)
    assert 0 == receiver.wait()


async def test_a_reload_reads_the_configuration_anew(make_receiver, session, tmp_path):
    """A token that was changed counts after SIGHUP; a configuration at fault leaves the receivers as they are."""
    receiver = make_receiver(arguments=("--processes", "1"))
    config = tmp_path / "switchboard.toml"
    good = config.read_text()
    config.write_text(good.replace("[receiver]", "[receiver]\nnonsense = 1"))
    os.kill(receiver.pid, signal.SIGHUP)
    await until(lambda: count(receiver, "receiver.not_started") == 1)
    before, _ = await receiver.post(session, event(1))
    config.write_text(good.replace(TOKEN, "another-token-0123456789"))
    os.kill(receiver.pid, signal.SIGHUP)
    await until(lambda: count(receiver, "receiver.reloaded") == 1)
    await until(lambda: len(serving(receiver)) == 1)
    after, _ = await receiver.post(session, event(2))

    assert (200, 401) == (before, after)


async def test_a_receiver_that_is_killed_is_started_again(make_receiver, session):
    """Connections wait in its socket meanwhile: none is refused."""
    receiver = make_receiver(arguments=("--processes", "1"))
    [killed] = serving(receiver)
    os.kill(killed, signal.SIGKILL)
    status, _ = await receiver.post(session, event(1))

    assert 200 == status
    assert [killed] != serving(receiver)
    assert 1 == count(receiver, "receiver.died")


async def test_sigterm_refuses_at_once_and_does_not_wait_for_the_idle(make_receiver, session):
    """A restart takes no longer than a single receiver's, also when a reload has just been."""
    receiver = make_receiver(arguments=("--processes", "1"))
    await receiver.post(session, event(1))  # the connection stays, idle
    os.kill(receiver.pid, signal.SIGHUP)
    await until(partial(reloaded, receiver, 1))
    began = time.monotonic()
    receiver.terminate()
    await until(lambda: refuses(receiver.port), seconds=5)

    assert 0 == receiver.wait()
    assert time.monotonic() - began < 10


async def test_the_receivers_end_with_their_master(make_receiver):
    """A master that is killed leaves nobody behind on its port."""
    receiver = make_receiver(arguments=TWO)
    await until(lambda: count(receiver, "receiver.listening") == 2)
    left = serving(receiver)
    receiver.kill()

    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), seconds=30)
    assert 2 == len(left)
