"""The receiver as a process: how it starts, takes a call, tells of itself, and ends."""

import asyncio
import json
import subprocess
import sys

import aiohttp
import pytest
from redis.asyncio import Redis

from tests.acceptance.receiver_process import (
    OPS_TOKEN,
    ROOT,
    TOKEN,
    event,
    receiver_environ,
    stored,
    until,
)


def refused(environ, *arguments):
    """Start a receiver that must not start; return its exit status and what it said."""
    result = subprocess.run(
        [sys.executable, "-m", "receiver", *arguments],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return result.returncode, result.stderr


def test_faults_of_the_environment_and_of_the_file_are_told_at_once(tmp_path):
    """Exit status 2 before it listens; each fault has its place."""
    environ = receiver_environ(tmp_path, "", config="[receiver]\nmax_body = -1\nnonsense = 1\n", PORT="x")
    status, said = refused(environ)

    assert 2 == status
    assert "REDIS_URL" in said
    assert "PORT" in said
    assert "max_body" in said
    assert "nonsense" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com"])
def test_without_tokens_it_starts_on_loopback_only(tmp_path, host):
    """Otherwise anybody could post."""
    status, said = refused(receiver_environ(tmp_path, "redis://127.0.0.1:1/0", config="[receiver]\n", HOST=host))

    assert 2 == status
    assert "loopback" in said


def test_a_spool_that_cannot_be_opened_is_told_before_it_listens(tmp_path):
    """A file that is no spool is left alone."""
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader, " * 1000)
    status, said = refused(receiver_environ(tmp_path, "redis://127.0.0.1:1/0", SPOOL_PATH=str(letter)))

    assert 2 == status
    assert "SPOOL_PATH" in said
    assert "Dear reader" in letter.read_text()


async def test_a_port_that_is_taken_is_told_in_a_sentence(tmp_path, make_receiver):
    """Exit status 1: the configuration is right, the machine is not."""
    first = make_receiver()
    status, said = refused(receiver_environ(tmp_path, "redis://127.0.0.1:1/0", PORT=str(first.port)))

    assert 1 == status
    assert f"cannot listen on 127.0.0.1:{first.port}" in said
    assert "Traceback" not in said


async def test_a_posted_call_is_in_the_ledger_and_its_wake_up_in_the_queue(make_receiver, session, redis_url):
    """The answer comes after the write; the message holds ids only."""
    receiver = make_receiver()
    status, _ = await receiver.post(session, event(1))

    assert 200 == status
    assert {"call-1": 1} == await stored(redis_url)
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        await until(lambda: redis.llen("calls"))
        message = json.loads((await redis.lrange("calls", 0, 0))[0])

    assert "tasks.calls.dispatch" == message["headers"]["task"]
    assert "61491570156" not in json.dumps(message)
    assert "call-1" in message["headers"]["argsrepr"]


async def test_tokens_in_urls_are_in_no_log(make_receiver, session):
    """Neither of good nor of refused requests."""
    receiver = make_receiver(LOG_LEVEL="debug")
    await receiver.post(session, event(1))
    await receiver.post(session, b"junk +61491570156")
    async with session.get(f"{receiver.url}/services/calldata?token={TOKEN}") as response:
        assert 405 == response.status
    receiver.stop()

    assert TOKEN not in receiver.log()
    assert "61491570156" not in receiver.log()


async def test_an_unusable_body_is_in_quarantine(make_receiver, session, redis_url):
    """As it came, with the reason."""
    receiver = make_receiver()
    status, _ = await receiver.post(session, b'{"PLA_Call_Id": \xff', path="/services/calldata/update")
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        bodies = [json.loads(body) for body in await redis.hvals("sb:bodies")]

    assert 400 == status
    assert [b'{"PLA_Call_Id": \xff'] == [body["body"].encode("latin-1") for body in bodies]
    assert "update" == bodies[0]["path"]


async def test_readyz_tells_a_neighbour_everything_and_a_stranger_the_status(make_receiver, session):
    """A request that came through a proxy is a stranger's."""
    receiver = make_receiver()
    status, parts = await receiver.readyz(session)
    async with session.get(f"{receiver.url}/readyz", headers={"X-Forwarded-For": "1.2.3.4"}) as response:
        bare = (response.status, await response.json())

    assert 200 == status
    assert {"redis", "durability", "spool", "workers", "oldest_due_seconds"} == set(parts)
    assert ("ok", "none", "ok", 0) == (parts["redis"], parts["durability"], parts["spool"]["state"], parts["workers"])
    assert (200, {"status": "ok"}) == bare


@pytest.mark.parametrize(
    "authorization, opens",
    [(f"Bearer {OPS_TOKEN}", True), (aiohttp.encode_basic_auth("x", OPS_TOKEN), True), (f"Bearer {TOKEN}", False),
     (None, False)],
)  # fmt: skip
async def test_ops_tokens_open_the_parts_and_the_metrics(make_receiver, session, authorization, opens):
    """Once there is one, being a neighbour is not enough, and Delacon's tokens open nothing."""
    receiver = make_receiver(config=f'[receiver]\ntokens = ["{TOKEN}"]\nops_tokens = ["{OPS_TOKEN}"]\n')
    await receiver.post(session, event(1))
    headers = {} if authorization is None else {"Authorization": authorization}
    async with session.get(f"{receiver.url}/readyz", headers=headers) as response:
        assert 200 == response.status
        assert opens is ("redis" in await response.json())
    async with session.get(f"{receiver.url}/metrics?token={TOKEN}", headers=headers) as response:
        text = await response.text()

    assert (200 if opens else 401) == response.status
    assert opens is ('switchboard_webhooks_total{event="start",outcome="stored"} 1.0' in text)


async def test_two_receivers_share_a_port(make_receiver, redis_url):
    """The kernel spreads connections over both, and both acknowledge."""
    first = make_receiver(arguments=["--reuse-port"])
    second = make_receiver(arguments=["--reuse-port"], name="second", PORT=str(first.port))
    served = {}
    for number in range(40):
        async with aiohttp.ClientSession() as one:
            assert 200 == (await first.post(one, event(number)))[0]
    for receiver in (first, second):
        receiver.stop()
        served[receiver.pid] = receiver.log()

    assert 40 == len(await stored(redis_url))
    assert first.port == second.port


async def test_sigterm_answers_what_was_asked_and_ends_with_status_0(make_receiver, session, redis_url):
    """A request whose body is still coming is finished; then nobody is let in."""
    receiver = make_receiver()
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    body = json.dumps(event(1)).encode()
    head = f"POST /services/calldata?token={TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:10])
    await writer.drain()
    await receiver.post(session, event(2))
    receiver.terminate()
    await until(lambda: "receiver.stopping" in receiver.log())
    writer.write(body[10:])
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert 0 == receiver.wait()
    assert {"call-1": 1, "call-2": 1} == await stored(redis_url)
    assert "error" not in {json.loads(line)["level"] for line in receiver.log().splitlines()}
