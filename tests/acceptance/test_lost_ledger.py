"""Redis is emptied while calls come in: a backup and the journal give everything back, and nothing lands twice."""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from typing import Any

import aiohttp
import pytest
from redis import Redis

from tests.acceptance.stack import CONFIG, ROOT, TOKEN, Stack, end_of, start_of

CALLS = 10_000
AT_ONCE = 64
SERVICE = b'"PLA_CID":"123"'
CONTACTS = """
[destinations.contacts]
vendor = "kapture"
url = "{url}/kapture"
auth_key = "standin-kapture-key"
email = "{{caller_digits}}@calls.example.com"
mode = "contact"
customer_id = "{customer_id}"
max_age = "off"

[[routes]]
to = ["contacts"]
service_ids = ["contact"]
"""
"""A contact has no duplicate answer: nothing but care prevents a second one."""
CONTACT_EVERY = 20
"""Every n-th call becomes a contact too: a search lists all of its customer, some 600 at most in 256 KB."""


def make_customer(url: str) -> str:
    """Make the customer whose contacts the callers become."""
    body = {"name": "Smith Law", "phone": "0255501234", "email": "office@example.com", "customer_code": "office"}
    request = urllib.request.Request(
        f"{url}/kapture/add-update-customer-from-other-source.html",
        data=json.dumps(body).encode(),
        headers={"Authorization": "Basic standin-kapture-key"},
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        return str(json.load(reply)["Kapture Customer Id"])


def command(stack: Stack, *arguments: str) -> Any:
    """Run a command as a process of its own; return its JSON value."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments, "--json"],
        cwd=ROOT, env=stack.environ, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def push(stack: Stack, numbers: range) -> None:
    """Push whole calls, each of a caller of its own; every webhook must be acknowledged."""

    async def push_all() -> None:
        waiting = iter(numbers)
        async with aiohttp.ClientSession() as session:

            async def some() -> None:
                for number in waiting:
                    call_id = f"lost-{number}"
                    bodies = {"create": start_of(call_id, f"+614915{number:05d}"), "update": end_of(call_id)}
                    service = b'"PLA_CID":"contact"' if number % CONTACT_EVERY == 0 else SERVICE
                    for kind, body in bodies.items():
                        assert SERVICE in body
                        url = f"http://127.0.0.1:{stack.port}/services/calldata/{kind}?token={TOKEN}"
                        async with session.post(url, data=body.replace(SERVICE, service)) as reply:
                            assert reply.status == 200
                            await reply.read()

            await asyncio.gather(*(some() for _ in range(AT_ONCE)))

    asyncio.run(push_all())


def is_done(redis: Redis) -> bool:
    """Say whether every call is planned and every delivery final."""
    places = ["sb:waits", "sb:leases", *redis.scan_iter("sb:due:*"), *redis.scan_iter("sb:park:*")]
    return not redis.exists(*places)


def held(stack: Stack) -> dict[str, Counter[str]]:
    """Return how often each vendor has each call or caller."""
    kapture = stack.records("kapture")
    return {
        "captorra": Counter({record["id"]: record["history"].count("added") for record in stack.records("captorra")}),
        "comunik8": Counter(
            {record["values"]["mobile"]: record["history"].count("added") for record in stack.records("comunik8")}
        ),
        "customers": Counter(
            record["values"]["phone"]
            for record in kapture
            if record["kind"] == "customer" and record["values"].get("customer_code") != "office"
        ),
        "contacts": Counter(record["values"]["phone"] for record in kapture if record["kind"] != "customer"),
    }


@pytest.mark.load
def test_an_emptied_ledger_is_whole_again(make_stack: Any, standins_process: str, redis_url: str) -> None:
    """Delivered, open and new calls; at vendors that know duplicates, and at one that does not."""
    stack: Stack = make_stack(config=CONFIG + CONTACTS, customer_id=make_customer(standins_process))
    stack.environ["JOURNAL_DIR"] = str(stack.folder / "journal")
    stack.environ["SPOOL_PATH"] = ""
    stack.start()
    third = CALLS // 3
    push(stack, range(third))
    backup = str(stack.folder / "ledger.sb")
    made = command(stack, "ledger", "backup", backup)
    push(stack, range(third, 2 * third))  # many of these are delivered, and none is in the backup
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
    push(stack, range(2 * third, CALLS))
    stack.wait_for(lambda: "ledger.changed" in stack.log("receiver"), 20, "that the receiver notices")
    stack.processes["worker0"].terminate()
    stack.processes.pop("worker0").wait(30)

    assert command(stack, "ledger", "info")["changed"]["what"] == "emptied"
    restored = command(stack, "ledger", "restore", backup, "--merge")
    imported = command(stack, "import", "--journal")
    assert command(stack, "ledger", "check")["wrong"] == 0
    before = held(stack)
    stack.start_worker("worker1")
    stack.wait_for(lambda: " ready" in stack.log("worker1"), 30, "the worker")
    with Redis.from_url(redis_url) as redis:
        stack.wait_for(lambda: is_done(redis), 300, "every delivery")

    assert restored["calls"] == made["calls"] == third
    assert imported["new"] > 0
    assert imported["new"] + imported["known"] == 2 * CALLS
    owed = {"captorra": CALLS, "comunik8": CALLS, "customers": CALLS, "contacts": CALLS // CONTACT_EVERY}
    found = {name: (len(counts), set(counts.values())) for name, counts in held(stack).items()}
    assert found == {name: (count, {1}) for name, count in owed.items()}
    assert all(before.values())  # what each vendor had by then was asked for again, and is there once all the same
    assert command(stack, "ledger", "check")["wrong"] == 0
    assert command(stack, "ledger", "info")["changed"] is None
