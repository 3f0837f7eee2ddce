"""``switchboard erase``: what is kept of a person or of a call goes, and what the vendors hold is told."""

import json

import pytest
from redis import Redis

from deploy.cli.erase import mentions_number
from tests.cli.conftest import CALLER
from worker.ledger.records import Accepted, Incoming, Verdict

OTHER = "+61491570157"


async def _two_people(book):
    await book.call("a-1")
    await book.call("a-2", result="Busy", caller="0491 570 156")
    await book.call("b-1", caller=OTHER)
    await book.end("law", Verdict.DEAD, reason="rejected", reply="Invalid ANI")
    for body in (b'{"tel": "0491 570 156"', b'{"PLA_Call_Id": "a-1", nonsense', b'{"tel": "0491 570 157"'):
        await book.ledger.quarantine(body, reason="not JSON", path_kind="create", received_us=1_772_452_800_000_000)


def _whole(redis):
    """Return all that Redis holds as one text."""
    found = []
    for key in redis.scan_iter("*"):
        kind = redis.type(key).decode()
        read = {"string": redis.get, "hash": redis.hgetall, "set": redis.smembers}.get(kind)
        found.append((key, read(key) if read else redis.zrange(key, 0, -1) if kind == "zset" else ""))
    return str(found)


def test_everything_of_a_person_goes(cli):
    """Calls, dead letters, quarantined bodies and memory; other people's stay."""
    cli.fill(_two_people)
    cli.fill(lambda book: book.ledger.redis.set("sb:memo:crm:61491570156", "{}"))

    done = cli.json("erase", "--caller", "0491570156", "--yes")

    assert (2, 1, 1, 2) == tuple(done[key] for key in ("calls", "dead_letters", "quarantined", "memories"))
    assert ["b-1"] == [line["call_id"] for line in cli.json("calls", "list")]
    assert ["b-1:law:create"] == [line["key"] for line in cli.json("dead", "list")]
    assert 2 == len(cli.json("quarantine", "list"))
    with Redis.from_url(cli.redis_url) as redis:
        assert "491570156" not in _whole(redis)
        assert "491570157" in _whole(redis)


@pytest.mark.parametrize(
    "body", ["oops 0491570156 2026-11-22", "+61 491 570 156\n12", "tel=%2B61491570156", "(0491) 570-156"]
)
def test_a_number_is_found_however_it_is_written(body):
    """Whatever stands before and after it; a longer number is another one."""
    assert mentions_number(body.encode(), "+61491570156")
    assert not mentions_number(body.replace("156", "1567").encode(), "+61491570156")


def test_the_ids_stay_remembered(cli):
    """A late event of an erased call is known, and does not bring it back."""
    cli.fill(_two_people)
    cli.run("erase", "--caller", CALLER, "--yes")

    async def late(book):
        return await book.ledger.accept([Incoming("a-1", 1, 's{"PLA_CID":"1"}')])

    assert [Accepted.REMEMBERED] == cli.fill(late)
    assert ["b-1"] == [line["call_id"] for line in cli.json("calls", "list")]


def test_one_call_goes(cli):
    """The caller's memory stays while other calls of theirs are there, and goes with the last one."""
    cli.fill(_two_people)
    cli.fill(lambda book: book.ledger.redis.set("sb:memo:crm:61491570156", "{}"))

    done = cli.json("erase", "--call", "a-1", "--yes")

    assert (1, 1, 0) == tuple(done[key] for key in ("calls", "quarantined", "memories"))
    assert {"a-2", "b-1"} == {line["call_id"] for line in cli.json("calls", "list")}
    with Redis.from_url(cli.redis_url) as redis:
        assert [b"ma-2"] == redis.zrange(f"sb:follow:dialler:{CALLER}", 0, -1)
        assert redis.exists("sb:memo:crm:61491570156")
        cli.run("erase", "--call", "a-2", "--yes")
        assert not redis.exists("sb:memo:crm:61491570156")
        assert not redis.exists(f"sb:follow:dialler:{CALLER}")


def test_a_finish_after_it_resurrects_nothing(cli):
    """What was in flight is cut off: its finish changes nothing, and the caller's next call does not wait for it."""

    async def work(book):
        await book.call("a-1")
        await book.call("a-2")
        claim = await book.ledger.claim("crm", want=50, lease_ms=60_000)
        return [item.key.call_id for item in claim.items]

    assert ["a-1"] == cli.fill(work)
    done = cli.json("erase", "--call", "a-1", "--yes")

    assert {("law", ""), ("crm", "maybe")} >= {(one["destination"], one["holds"]) for one in done["vendors_hold"]}
    assert [] == cli.fill(lambda book: book.end("law", Verdict.DELIVERED))[1:]
    assert ["a-2:crm:create"] == [str(key) for key in cli.fill(lambda book: book.end("crm", Verdict.DELIVERED))]
    assert ["a-2"] == [line["call_id"] for line in cli.json("calls", "list")]


def test_it_says_what_the_vendors_hold(cli):
    """Delivered: yes. Tried without a clear answer: maybe. Refused or never sent: not listed."""

    async def work(book):
        await book.call("a-1")
        await book.call("a-2")
        await book.end("law", Verdict.DEAD, reason="exhausted", reply="502")
        await book.end("crm", Verdict.DELIVERED, effect="ok")
        await book.call("a-3")
        await book.end("law", Verdict.DEAD, reason="rejected")

    cli.fill(work)

    done = cli.json("erase", "--caller", CALLER, "--yes")

    assert {("a-1", "law", "maybe"), ("a-2", "law", "maybe"), ("a-1", "crm", "yes")} == {
        (one["call_id"], one["destination"], one["holds"]) for one in done["vendors_hold"]
    }
    assert 2 == done["cancelled"]


def test_it_asks(cli):
    """A no changes nothing, and is status 1."""
    cli.fill(_two_people)
    result = cli.run("erase", "--caller", CALLER, input="n\n", status=1)

    assert "Erase 2 calls and 1 quarantined body for good?" in result.stderr
    assert 3 == len(cli.json("calls", "list"))
    assert "2 calls erased" in cli.run("erase", "--caller", CALLER, input="y\n").stdout


def test_a_suppressed_number_stays_suppressed(cli):
    """Whoever asked not to be called must not be called because they asked to be forgotten."""
    cli.run("suppress", "add", CALLER)
    result = cli.run("erase", "--caller", CALLER, "--yes")

    assert "stays on the list" in result.stderr
    assert [CALLER] == cli.json("suppress", "list")


def test_wrong_use_and_unknown_calls(cli):
    """Neither or both is status 2; a call that is not there is status 1; a person without a trace is done."""
    cli.run("erase", status=2)
    cli.run("erase", "--caller", CALLER, "--call", "a-1", status=2)
    cli.run("erase", "--caller", "nobody", "--yes", status=2)
    cli.run("erase", "--call", "nobody", "--yes", status=1)
    assert 0 == json.loads(cli.run("erase", "--caller", CALLER, "--yes", "--json").stdout)["calls"]
