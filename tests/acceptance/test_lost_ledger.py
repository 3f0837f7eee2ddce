"""Redis is emptied while calls come in: a backup and the journal give everything back, and nothing lands twice."""

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from tests.acceptance.stack import CONFIG, ROOT, Stack, end_of, start_of

CALLS = 300
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
"""
"""A contact has no duplicate answer: nothing but care prevents a second one."""


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
        cwd=ROOT, env=stack.environ, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def push(stack: Stack, numbers: range) -> None:
    """Push whole calls, each of a caller of its own; every webhook must be acknowledged."""

    def one(number: int) -> None:
        call_id = f"lost-{number}"
        assert stack.post("create", start_of(call_id, f"+614915{number:05d}"))[0] == 200
        assert stack.post("update", end_of(call_id))[0] == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, numbers))


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
    stack.start_worker("worker1")
    stack.wait_for(lambda: all(len(found) == CALLS for found in held(stack).values()), 120, "every call everywhere")

    def is_done() -> bool:
        found = command(stack, "deliveries", "list")
        rows = found["deliveries"] if isinstance(found, dict) else found
        return all(row["state"] in {"delivered", "skipped"} for row in rows) and len(rows) == 4 * CALLS

    deadline = time.monotonic() + 120
    while not is_done():
        assert time.monotonic() < deadline
    assert restored["calls"] == made["calls"] == third
    assert imported["new"] > 0
    assert imported["new"] + imported["known"] == 2 * CALLS
    assert {name: set(found.values()) for name, found in held(stack).items()} == {name: {1} for name in held(stack)}
    assert command(stack, "ledger", "info")["changed"] is None
