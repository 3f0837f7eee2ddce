"""Commands that take a number read it as a caller's is read, say how, and find what versions before stored."""

import pytest
from redis import Redis

from tests.cli.conftest import CONFIG

AMERICAN = CONFIG.replace('timezone = "Australia/Sydney"', 'timezone = "Australia/Sydney"\nregion = "US"')
FORMS = [
    "0491 570 156", "491570156", "+61491570156", "0061491570156", "0011 61 491 570 156", "61491570156",
    "491570156.0", '="0491570156"', "tel:+61491570156", "sip:+61491570156@example.net",
]  # fmt: skip


def ids(lines):
    """Return the ids of listed calls or deliveries."""
    return {line["call_id"] for line in lines}


async def _calls(book):
    for place, form in enumerate(FORMS):
        await book.call(f"ann-{place}", caller=form)
    await book.call("bob-1", caller="0491570157")
    await book.call("nobody-1", caller="anonymous")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_number_finds_every_form(cli, form):
    """Whatever was written by Delacon, and whatever is written on the command line."""
    cli.fill(_calls)
    wanted = {f"ann-{place}" for place in range(len(FORMS))}

    assert wanted == ids(cli.json("calls", "list", "--caller", form))
    assert wanted == ids(cli.json("deliveries", "list", "--caller", form))
    assert f"understood {form} as +61491570156 (AU)" in cli.run("calls", "list", "--caller", form).stderr
    cli.run("suppress", "add", form)
    assert ["+61491570156"] == cli.json("suppress", "list", "0491570156")
    assert ["+61491570156"] == cli.json("suppress", "list", form)


def test_deliveries_are_listed_by_caller_in_each_state(cli):
    """Dead and in_flight ones come from lists of their own."""
    cli.fill(_calls)
    cli.fill(lambda book: book.ledger.claim("crm", want=50, lease_ms=60_000))

    assert {"bob-1"} == ids(cli.json("deliveries", "list", "--caller", "0491570157", "--state", "in_flight"))
    assert {"bob-1"} == ids(cli.json("deliveries", "list", "--caller", "0491570157", "--state", "queued"))
    assert [] == cli.json("deliveries", "list", "--caller", "0491570157", "--state", "dead")


def test_it_is_said_how_a_number_was_understood(cli):
    """On standard error, so that a value on standard output stays one value; in JSON as a field."""
    done = cli.run("suppress", "add", "0011 44 20 7946 0018")
    assert "understood 0011 44 20 7946 0018 as +442079460018 (GB)\n" == done.stderr

    assert {
        "written": "3105550702", "number": "+613105550702", "country": "AU", "verified": False, "also": [],
    } == cli.json("suppress", "add", "3105550702")["understood"]  # fmt: skip
    assert "of no known range" in cli.run("suppress", "list", "3105550702").stderr
    assert "+61491570156" == cli.json("erase", "--caller", "0491570156", "--yes")["understood"]["number"]


def test_a_number_of_a_destinations_region_is_found(cli):
    """Where the default region does not know it, a destination's may; and the form that was written is looked for."""
    cli.configure(AMERICAN)

    async def work(book):
        await book.call("us-1", caller="(310) 555-0702")
        await book.call("us-2", caller="+1 310-555-0702")
        await book.call("us-3", caller="+1 310-555-0703")

    cli.fill(work)
    assert {"us-1", "us-2"} == ids(cli.json("calls", "list", "--caller", "3105550702"))
    assert "looking for +13105550702 too" in cli.run("calls", "list", "--caller", "3105550702").stderr
    cli.configure(CONFIG)
    assert {"us-1", "us-2"} == ids(cli.json("calls", "list", "--caller", "(310) 555-0702"))
    assert 2 == cli.json("erase", "--caller", "3105550702", "--yes")["calls"]
    assert {"us-3"} == ids(cli.json("calls", "list"))


def test_a_valid_number_is_nobody_elses(cli):
    """The same digits in another country are another person's, and stay."""

    async def work(book):
        await book.call("au-1", caller="0491570156")
        await book.call("de-1", caller="+49 157 0156 1234")
        await book.call("za-1", caller="+27 49 157 0156")

    cli.fill(work)
    assert 1 == cli.json("erase", "--caller", "0491570156", "--yes")["calls"]
    assert {"de-1", "za-1"} == ids(cli.json("calls", "list"))


async def _stored_by_a_version_before(book):
    await book.call("ann-1", caller="0061491570156", result="Busy")
    await book.ledger.redis.sadd("sb:suppressed", "+61061491570156")
    await book.ledger.redis.set("sb:memo:crm:61061491570156", "{}")
    await book.ledger.redis.zadd("sb:follow:dialler:+61061491570156", {"mann-1": 1})


@pytest.mark.parametrize("form", ["0061491570156", "+61061491570156", "0491570156"])
def test_an_upgrade_strands_nobody(cli, form):
    """What a version before stored under its reading is erased with the person, and comes off the list."""
    cli.fill(_stored_by_a_version_before)

    assert {"ann-1"} == ids(cli.json("calls", "list", "--caller", form))
    done = cli.json("erase", "--caller", form, "--yes")
    assert (1, True) == (done["calls"], done["suppressed"])
    assert done["memories"] >= 2
    assert ["+61061491570156"] == cli.json("suppress", "list")
    assert cli.json("suppress", "remove", "0061491570156")["changed"]
    with Redis.from_url(cli.redis_url) as redis:
        assert [] == list(redis.scan_iter("*61491570156*"))
        assert not redis.smembers("sb:suppressed")


def test_erasing_one_call_forgets_what_a_version_before_remembered_of_its_caller(cli):
    """The caller is read from the call as Delacon wrote it."""
    cli.fill(_stored_by_a_version_before)
    cli.run("erase", "--call", "ann-1", "--yes")

    with Redis.from_url(cli.redis_url) as redis:
        assert [] == list(redis.scan_iter("*61491570156*"))


@pytest.mark.parametrize("text", ["anonymous", "266696687", "+0491570156", "6.14123E+10", "12"])
def test_what_is_no_number_is_wrong_use(cli, text):
    """Status 2, and nothing is touched: 266696687 was read as 02 6669 6687 once, and that is somebody's."""
    cli.fill(lambda book: book.call("real-1", caller="0266696687"))

    for command in (("erase", "--yes", "--caller"), ("suppress", "add"), ("calls", "list", "--caller")):
        cli.run(*command, text, status=2)
    assert {"real-1"} == ids(cli.json("calls", "list"))


def test_nobody_is_suppressed_under_a_number_that_is_none(cli):
    """Versions before read one in it; it can be looked for and taken off, and is not put on any more."""
    cli.run("suppress", "add", "+61061491570156", status=2)
    assert [] == cli.json("suppress", "list")


def test_the_list_tells_what_a_version_before_misread(cli):
    """Until the right number is on it too; a number of no known range is not called misread."""
    before = {
        "+61061491570156": "+61491570156", "+61447911123456": "+447911123456", "+614915701570": "+61491570157",
        "+613105550702": None, "+61491570158": None, "+12125550123": None,
    }  # fmt: skip
    cli.fill(lambda book: book.ledger.redis.sadd("sb:suppressed", *before))
    told = {
        f"{number} was misread by an earlier version; add {meant} if that is meant."
        for number, meant in before.items()
        if meant
    }

    assert told == set(cli.run("suppress", "list").stderr.splitlines())
    for meant in filter(None, before.values()):
        cli.run("suppress", "add", meant)
    assert "" == cli.run("suppress", "list").stderr
