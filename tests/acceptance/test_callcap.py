"""Callcap's numbers through real processes: a provisioning whose reply is lost is posted once, whoever is killed."""

import asyncio
import base64
import json
import multiprocessing
import random
import signal
import urllib.request
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import redis as redis_client
from celery import Celery

from schemas.callcap.requests import Kind, Lookup, NumberRequest, RequestState
from tests.acceptance import provisioner
from tests.acceptance.stack import Stack
from worker.broker import direct_queue
from worker.ledger.numbers import NumberRecord
from worker.redis_address import RedisAddress

FORKS = multiprocessing.get_context("forkserver")  # a process in 20 ms instead of 600 ms
FORKS.set_forkserver_preload(["tests.acceptance.provisioner"])
AREAS = ("316", "212", "415", "416", "800", "888")
REPETITIONS = 100
BATCH = 50
LEASE_MS = 1500  # short, so that the test need not wait 50 s for what was killed
LATEST_KILL_S = 0.02  # behind a stage; the stand-in takes 10 ms before it provisions
CONFIG = """
[receiver]
tokens = ["{token}"]

[callcap]
url = "{url}/callcap/v3"
api_key = "standin-callcap-key"
"""
EXACT = NumberRequest(kind=Kind.PROVISION, parameters={"account": "L-3", "phoneNumber": "3165550142"})


def test_a_provisioning_whose_reply_is_lost_is_posted_exactly_once(redis_url: str, standins_process: str):
    """100 lost replies, half of them dropped and half never given, with kills at random points, one a request.

    Then the request is tried again with its key until it is settled. One that was killed between its claim and its
    post was posted by nobody: it is no less unknown, and its number is still offered.
    """
    for place, area in enumerate(AREAS):
        mode = ("store_then_drop", "store_then_hang")[place % 2]
        fault = {"vendor": "callcap", "latency_ms": 10, "hang_s": 0.2, "mode": mode, "match": f"phoneNumber={area}"}
        _control(standins_process, "faults", fault)
    url = f"{standins_process}/callcap/v3"
    rng = random.Random(1123)
    killed, records, posts = 0, list[NumberRecord](), Counter[str]()

    while len(posts) < REPETITIONS:
        places = range(len(records), len(records) + BATCH)
        numbers = [f"{AREAS[place % 6]}5550{100 + place // 6}" for place in places]
        jobs = [
            provisioner.Job(redis_url, url, LEASE_MS, f"kill-{place}", number)
            for place, number in zip(places, numbers, strict=True)
        ]
        with ThreadPoolExecutor(4) as pool:
            killed += sum(pool.map(_run, [_doomed(job, rng) for job in jobs]))
        records += asyncio.run(_settle_all(jobs))
        posts = _posts(standins_process)

    kept = {record["id"] for record in _control(standins_process, "records?vendor=callcap")}
    asked = [record.request.about for record in records]
    outcomes = [record.outcome for record in records if record.outcome]
    assert {1} == set(posts.values())
    assert REPETITIONS // 2 < killed
    assert kept == posts.keys()
    assert {RequestState.UNKNOWN} == {record.state for record in records}
    assert {"reset", "interrupted"} == {outcome.reason for outcome in outcomes}
    assert [Lookup.NOT_OFFERED if number in kept else Lookup.OFFERED for number in asked] == [
        outcome.lookup for outcome in outcomes
    ]


def test_a_task_carries_a_key_alone_and_provisions_once(make_stack: Callable[..., Stack], redis_url: str):
    """Another program writes the request and sends its key, here three times; the worker provisions once.

    An update goes the same way; a key that nobody wrote is passed over.
    """
    stack = make_stack(config=CONFIG)
    asyncio.run(provisioner.write(redis_url, "shop-a", EXACT))
    _send(redis_url, "provision", "shop-a", times=3)
    with redis_client.Redis.from_url(redis_url) as redis:
        messages = b"".join(base64.b64decode(json.loads(text)["body"]) for text in redis.lrange("callcap", 0, -1))
    stack.start(receiver=False)

    stack.wait_for(lambda: not _is_open(redis_url, "shop-a"), 20, "the provisioning")
    record = asyncio.run(provisioner.read(redis_url, "shop-a"))
    assert record is not None
    assert record.outcome is not None
    assert (RequestState.DONE, "3165550142") == (record.state, record.outcome.number)
    update = NumberRequest(kind=Kind.UPDATE, number="3165550142", parameters={"memo1": "456"})
    asyncio.run(provisioner.write(redis_url, "shop-u", update))
    for key in ("shop-x", "shop-u"):
        _send(redis_url, "update", key)
    stack.wait_for(lambda: not _is_open(redis_url, "shop-u"), 20, "the update")
    [kept] = stack.records("callcap")
    assert "456" == kept["values"]["memo1"]
    assert "number_request.absent" in stack.log("worker0")
    assert b"shop-a" in messages
    assert b"316555" not in messages
    assert "316555" not in stack.log("worker0")
    assert ["POST", "POST"] == [one["method"] for one in _requests(stack.standins_url)]


def test_a_worker_killed_in_the_middle_of_a_provisioning_does_not_post_again(
    make_stack: Callable[..., Stack], redis_url: str
):
    """Neither by its message coming back nor by another of the same key."""
    stack = make_stack(config=CONFIG)
    stack.lay_fault({"vendor": "callcap", "mode": "store_then_hang"})
    stack.start(receiver=False)
    asyncio.run(provisioner.write(redis_url, "shop-b", EXACT))
    _send(redis_url, "provision", "shop-b")
    stack.wait_for(lambda: bool(stack.records("callcap")), 20, "the post")
    stack.kill("worker0")
    asyncio.run(provisioner.write(redis_url, "shop-c", NumberRequest(kind=Kind.SEARCH, parameters={"areaCode": "212"})))
    stack.lift_faults()
    stack.start_worker("worker1")
    _send(redis_url, "provision", "shop-b", times=2)
    _send(redis_url, "search", "shop-c")

    stack.wait_for(lambda: not _is_open(redis_url, "shop-c"), 20, "the search behind them")
    record = asyncio.run(provisioner.read(redis_url, "shop-b"))
    assert record is not None
    assert RequestState.IN_FLIGHT is record.state
    assert {"3165550142": 1} == _posts(stack.standins_url)


def _send(redis_url: str, kind: str, key: str, *, times: int = 1) -> None:
    """Send the task as another program does."""
    with Celery("shop", broker=RedisAddress.parse(redis_url).kombu_url) as app:
        app.conf.task_queues = [direct_queue("callcap")]
        for _ in range(times):
            app.send_task(f"tasks.callcap.{kind}", args=[key], queue="callcap")


def _is_open(redis_url: str, key: str) -> bool:
    record = asyncio.run(provisioner.read(redis_url, key))
    return record is None or record.state in {RequestState.WAITING, RequestState.IN_FLIGHT}


async def _settle_all(jobs: list[provisioner.Job]) -> list[NumberRecord]:
    """Carry every request out with its key until it is settled, killing nobody."""
    gate = asyncio.Semaphore(8)

    async def settle(job: provisioner.Job) -> NumberRecord:
        async with gate:
            return await provisioner.settle(job)

    return await asyncio.gather(*map(settle, jobs))


def _doomed(job: provisioner.Job, rng: random.Random) -> provisioner.Job:
    """Choose where a process is to be killed."""
    return replace(
        job, stage=rng.choice(provisioner.STAGES), at_end=rng.random() < 0.5, after_s=rng.uniform(0, LATEST_KILL_S)
    )


def _run(job: provisioner.Job) -> bool:
    """Run a provisioner; say whether it was killed, as ``kill -9`` does."""
    process = FORKS.Process(target=provisioner.provision, args=(job,))
    process.start()
    process.join(30)
    killed = process.exitcode == -signal.SIGKILL
    process.close()
    return killed


def _control(url: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/control/{path}", data=data, timeout=10) as reply:
        return json.load(reply)


def _posts(url: str) -> Counter[str]:
    """Return how often each number was posted."""
    return Counter(parse_qs(one["body"])["phoneNumber"][0] for one in _requests(url) if one["method"] == "POST")


def _requests(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _control(url, "requests?vendor=callcap")["requests"]
    return found
