"""Several parties that post: each speaks for its own services, at its own rate."""

import json
from typing import Any

import pytest
import structlog

from receiver.refusals import EVERY_S, REASONS, Refusals
from receiver.senders import Sender, Senders
from schemas.delacon.events import read_event
from tests.receiver.scripted import FakeLedger, receiver_settings, running_receiver
from worker.config.receiver import SenderSettings
from worker.ledger.sender_mark import sender_of, unmarked
from worker.metrics import Metrics

SMITH_TOKEN, SMITH_NEXT, JONES_TOKEN = "smith-token-0123456789", "smith-next-0123456789", "jones-token-0123456789"
SMITH = SenderSettings(name="smith", tokens=(SMITH_TOKEN, SMITH_NEXT), service_ids=("101", "102"), rate_per_s=500.0)
JONES = SenderSettings(name="jones", tokens=(JONES_TOKEN,), service_ids=("201",), rate_per_s=2.0)
BOTH: dict[str, Any] = {"tokens": (), "senders": (SMITH, JONES)}
START = {"PLA_Call_Id": "c1", "PLA_CID": "101", "PLA_Caller_Phone_Number": "+61491570156"}


async def post(client, receiver, body, *, token) -> tuple[int, dict[str, str], Any]:
    """Post; return the status, the answer and its headers."""
    url = f"{receiver.url}/services/calldata?token={token}"
    async with client.post(url, data=json.dumps(body)) as response:
        return response.status, await response.json(), response.headers


async def test_a_token_names_its_sender(client):
    """Both tokens of a rotation do; the record goes on with the sender's mark."""
    async with running_receiver(ledger=FakeLedger(), **BOTH) as receiver:
        assert 200 == (await post(client, receiver, START, token=SMITH_TOKEN))[0]
        assert 200 == (await post(client, receiver, START | {"PLA_CID": "102"}, token=SMITH_NEXT))[0]
        assert 401 == (await post(client, receiver, START, token="smith-token-012345678"))[0]
        records = receiver.ledger.events["c1"]

    assert ["smith", "smith"] == [sender_of(record) for record in records]
    assert 1 == receiver.refused("", "token")


@pytest.mark.parametrize("service", ["201", "10", "1011", "101,102", 201, ["101"], {"101": 1}, True])
async def test_an_event_of_another_service_is_refused(client, service):
    """Nothing of it is kept; it is counted under the sender's name."""
    async with running_receiver(ledger=FakeLedger(), **BOTH) as receiver:
        status, answer, _ = await post(client, receiver, START | {"PLA_CID": service}, token=SMITH_TOKEN)

        assert (403, "false", "c1") == (status, answer["success"], answer["PLA_Call_Id"])
        assert ({}, []) == (receiver.ledger.events, receiver.ledger.bodies)
        assert 1 == receiver.refused("smith", "service")


@pytest.mark.parametrize("service", ["101", " 102 ", 101])
async def test_an_event_of_an_own_service_is_taken(client, service):
    """Trimmed, and as a number too."""
    async with running_receiver(ledger=FakeLedger(), **BOTH) as receiver:
        assert 200 == (await post(client, receiver, START | {"PLA_CID": service}, token=SMITH_TOKEN))[0]


@pytest.mark.parametrize("service", [None, "", "  "])
async def test_an_event_without_a_service_goes_to_the_ledger_with_all_of_the_senders(client, service):
    """The ledger knows whose call it is."""
    async with running_receiver(ledger=FakeLedger(), **BOTH) as receiver:
        assert 200 == (await post(client, receiver, START | {"PLA_CID": service}, token=SMITH_TOKEN))[0]
        [record] = receiver.ledger.events["c1"]

    assert ["?smith", "101", "102"] == record.split("\n")[:3]


async def test_an_event_of_anothers_call_is_acknowledged_and_counted(client):
    """It is kept in quarantine by the ledger, so the answer says that it is safe."""
    async with running_receiver(ledger=FakeLedger(foreign="c1"), **BOTH) as receiver:
        with structlog.testing.capture_logs() as logs:
            assert 200 == (await post(client, receiver, START, token=SMITH_TOKEN))[0]

        assert 1 == receiver.refused("smith", "conflict")
        assert [] == receiver.woken
    [line] = [one for one in logs if one["event"] == "request.refused"]
    assert ("conflict", "smith", "c1") == (line["reason"], line["sender"], line["call_id"])


async def test_beyond_its_rate_a_sender_is_told_when_to_come_again(client):
    """Another sender goes on."""
    async with running_receiver(ledger=FakeLedger(), **BOTH) as receiver:
        event = START | {"PLA_CID": "201"}
        answers = [await post(client, receiver, event, token=JONES_TOKEN) for _ in range(4)]
        assert 200 == (await post(client, receiver, START, token=SMITH_TOKEN))[0]

        assert [200, 200, 429, 429] == [status for status, _, _ in answers]
        assert "1" == answers[2][2]["Retry-After"]
        assert ["PLA_Call_Id", "success", "error"] == list(answers[2][1])
        assert 2 == receiver.refused("jones", "rate")


@pytest.mark.parametrize(
    ("rate", "step_s", "refused"), [(500.0, 0.002, 0), (10.0, 0.05, 95), (0.5, 1.0, 99), (0.5, 2.0, 0)]
)
def test_a_rate_is_kept_over_time(rate, step_s, refused):
    """After a burst of one second's worth so many are let through as the rate says; the wait leads to room."""
    now = [0.0]
    sender = Sender(SenderSettings(name="x", tokens=(), service_ids=("1",), rate_per_s=rate), monotonic=lambda: now[0])
    for _ in range(max(1, int(rate))):
        assert 0 == sender.wait_s()
    waits = []
    for _ in range(200):
        now[0] += step_s
        waits.append(sender.wait_s())

    assert refused == pytest.approx(sum(map(bool, waits)), abs=6)
    wait = sender.wait_s() or sender.wait_s()
    now[0] += wait
    assert not wait or 0 == sender.wait_s()


def test_without_senders_a_token_speaks_for_everything():
    """The record goes without a mark, at no rate; without any token anybody is that sender."""
    event = read_event(json.dumps(START).encode(), path_kind="either")
    senders = Senders(receiver_settings())
    found = senders.find([b"wrong", b"delacon-token-0123456789"])
    assert found is not None
    anybody = Senders(receiver_settings(tokens=())).anybody

    assert senders.anybody is None
    assert event.record() == found.record(event) == unmarked(event.record())
    assert {0} == {found.wait_s() for _ in range(10_000)}
    assert anybody is not None
    assert anybody.record(event) == event.record()


class Told:
    """Refusals with a clock, and the lines that they wrote."""

    def __init__(self, *senders: str) -> None:
        self.now = 1000.0
        self.metrics = Metrics()
        self.refusals = Refusals(self.metrics.refused, senders=senders, monotonic=lambda: self.now)


def test_five_thousand_wrong_tokens_are_two_lines_and_a_count():
    """The first at once, the others a minute later, with the address that most came from; then silence."""
    told = Told()
    with structlog.testing.capture_logs() as logs:
        for place in range(5000):
            told.refusals.note("token", address="192.0.2.7" if place % 5 else f"198.51.100.{place % 250}")
        assert 1 == len(logs)
        for _ in range(180):
            told.now += 1
            told.refusals.tell()

    first, second = logs
    assert (1, "198.51.100.0", "token") == (first["count"], first["address"], first["reason"])
    assert (4999, "192.0.2.7") == (second["count"], second["address"])
    assert 50 < second["addresses"] <= 101
    assert {"token": 5000} == told.refusals.totals()
    assert 5000 == told.metrics.registry.get_sample_value(
        "switchboard_refused_total", {"sender": "", "reason": "token"}
    )


def test_each_kind_has_its_own_line_and_a_quiet_minute_begins_anew():
    """What one sender does hides nothing of another."""
    told = Told("smith", "jones")
    with structlog.testing.capture_logs() as logs:
        for sender in ("smith", "jones"):
            for reason in ("rate", "service"):
                for _ in range(3):
                    told.refusals.note(reason, sender=sender)
        assert 4 == len(logs)
        for _ in range(2):
            told.now += EVERY_S
            told.refusals.tell()
        assert 8 == len(logs)
        told.refusals.note("rate", sender="smith")

    assert [1] * 4 + [2] * 4 + [1] == [line["count"] for line in logs]


def test_every_series_is_there_from_the_start():
    """So that an alert has something to compare with."""
    text = Told("smith").metrics.render().decode()

    assert all(
        f'switchboard_refused_total{{reason="{reason}",sender="{sender}"}} 0.0' in text
        for reason in REASONS
        for sender in ("", "smith")
    )
