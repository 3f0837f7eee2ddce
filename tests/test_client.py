"""The module for other programs, on a real Redis: what it refuses, what it finds, and when Redis is away."""

import ast
import asyncio
from pathlib import Path

import pytest

import deploy.client
from deploy.client import EventFate, Refused, Unavailable, call_state, deliver_event, provision_number
from schemas.delivery import DeliveryKey
from worker.broker import open_redis
from worker.ledger.admin import erase_calls, pause
from worker.ledger.ledger import Ledger
from worker.ledger.queries import find

ROOT = Path(__file__).parents[1]
EVENT = {"PLA_Call_Id": "c1", "PLA_CID": "123", "PLA_Caller_Phone_Number": "0491570156", "PLA_CallResult": "Answered"}
EXACT = {"account": "L-3", "phoneNumber": "3165550142"}


def test_an_event_is_stored_once_and_its_call_found(redis_url: str):
    """A call that nobody has dispatched waits; one that was never here is none."""
    fates = [deliver_event(EVENT, redis_url=redis_url) for _ in range(2)]

    assert [EventFate.STORED, EventFate.KNOWN] == fates
    call = call_state("c1", redis_url=redis_url)
    assert call is not None
    assert ("c1", "waiting", ()) == (call.call_id, call.state, call.deliveries)
    assert call_state("c2", redis_url=redis_url) is None


def test_the_address_comes_from_the_environment(redis_url: str, monkeypatch: pytest.MonkeyPatch):
    """``REDIS_URL``, as for the processes; without it there is nothing to ask."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    assert call_state("c1") is None
    monkeypatch.delenv("REDIS_URL")

    with pytest.raises(Refused, match="REDIS_URL"):
        call_state("c1")


@pytest.mark.parametrize("body", [b"[]", b"{", {"PLA_CID": "1"}, {"PLA_Call_Id": object()}, b"\xff"])
def test_a_body_without_an_event_is_refused(redis_url: str, body: bytes | dict[str, object]):
    """With a sentence, and nothing is stored."""
    with pytest.raises(Refused):
        deliver_event(body, redis_url=redis_url)


def test_a_removed_call_is_known_by_its_id(redis_url: str):
    """An event of it is not delivered again."""
    deliver_event(EVENT, redis_url=redis_url)

    async def erase() -> None:
        async with open_redis(redis_url) as redis:
            await erase_calls(Ledger(redis), ["c1"], remember_s=60)

    asyncio.run(erase())
    call = call_state("c1", redis_url=redis_url)
    assert call is not None
    assert "removed" == call.state
    assert EventFate.KNOWN is deliver_event(EVENT, redis_url=redis_url)


def test_a_delivery_of_a_paused_destination_is_held(redis_url: str):
    """As every listing shows it."""
    deliver_event(EVENT, redis_url=redis_url)

    async def plan() -> None:
        async with open_redis(redis_url) as redis:
            ledger = Ledger(redis)
            await redis.hset("sb:c:c1", "d:crm:create", "q|0|0|0|0||\n")
            assert (await find(ledger, [DeliveryKey("c1", "crm", "create")]))[0] is not None
            await pause(ledger, "crm")

    asyncio.run(plan())
    call = call_state("c1", redis_url=redis_url)
    assert call is not None
    assert [("crm", "held", "paused")] == [(one.destination, one.state, one.reason) for one in call.deliveries]


@pytest.mark.parametrize(
    ("parameters", "key", "fault"),
    [
        ({"account": "L-3", "phoneNumber": "12"}, "shop-1", "phoneNumber"),
        ({"phoneNumber": "3165550142"}, "shop-1", "account"),
        (EXACT, "3165550142", "key"),
        (EXACT, "a b", "key"),
    ],
)
def test_a_wrong_provisioning_is_refused_by_name(redis_url: str, parameters: dict[str, str], key: str, fault: str):
    """Nothing is written; no number stands in what is raised."""
    with pytest.raises(Refused) as caught:
        provision_number(parameters, key=key, redis_url=redis_url)

    assert any(fault in one for one in caught.value.faults)
    assert "3165550142" not in str(caught.value)


def test_a_key_stands_for_one_provisioning(redis_url: str):
    """The same again returns where it stands; another is refused; without a key each is one of its own."""
    states = [provision_number(EXACT, key="shop-1", redis_url=redis_url) for _ in range(2)]

    assert [("shop-1", "waiting")] * 2 == [(one.key, one.state) for one in states]
    with pytest.raises(Refused, match="different"):
        provision_number({**EXACT, "phoneNumber": "3165550143"}, key="shop-1", redis_url=redis_url)
    keys = {provision_number(EXACT, redis_url=redis_url).key for _ in range(2)}
    assert 2 == len(keys)


def test_a_redis_that_is_away_is_told_and_shows_no_secret(free_port: int):
    """Each function says so; the password of the address stands in no exception."""
    url = f"redis://:of-this-test-alone@127.0.0.1:{free_port}/0"
    for work in (
        lambda: deliver_event(EVENT, redis_url=url),
        lambda: call_state("c1", redis_url=url),
        lambda: provision_number(EXACT, redis_url=url),
    ):
        with pytest.raises(Unavailable) as caught:
            work()
        assert "of-this-test-alone" not in str(caught.value)


def test_the_module_is_all_that_other_programs_import():
    """Its names are declared, and the examples of the docs import from it alone."""
    assert all(hasattr(deploy.client, name) for name in deploy.client.__all__)
    rooms = {"schemas", "worker", "tasks", "receiver", "deploy"}
    imported = set()
    for page in (ROOT / "docs").rglob("*.md"):
        for block in page.read_text().split("```python\n")[1:]:
            for node in ast.walk(ast.parse(block.partition("```")[0])):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in rooms:
                    imported.add(node.module)

    assert {"deploy.client"} == imported
