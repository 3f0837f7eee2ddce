"""``switchboard destinations``: what they wait for, pausing, resuming and testing."""

import json
import urllib.request

import pytest

from worker.ledger.records import Verdict


def _states(cli):
    return {line["destination"]: line["state"] for line in cli.json("destinations", "list")}


def test_lists_the_configured_ones(cli):
    """Even before they have a delivery."""
    assert {"law": "ok", "dialler": "ok", "crm": "ok"} == _states(cli)
    assert "law" in cli.run("destinations", "list").stdout


def test_counts_what_waits_and_what_died(cli):
    """Queued, in flight and dead, by destination."""

    async def work(book):
        await book.call("a-1")
        await book.call("a-2")
        await book.end("law", Verdict.DEAD, reason="rejected")
        await book.ledger.claim("crm", want=1, lease_ms=60_000)

    cli.fill(work)

    lines = {line["destination"]: line for line in cli.json("destinations", "list")}
    assert (0, 0, 2) == tuple(lines["law"][key] for key in ("queued", "in_flight", "dead"))
    assert (1, 1, 0) == tuple(lines["crm"][key] for key in ("queued", "in_flight", "dead"))


def test_one_that_is_no_longer_configured_is_listed(cli):
    """Its deliveries are held, and the list says why."""
    cli.fill(lambda book: book.call("a-1"))
    cli.configure('[receiver]\ntokens = ["a-token-for-tests-only"]\n')

    assert {"law": "no_destination", "crm": "no_destination"} == _states(cli)


def test_pauses_and_resumes(cli):
    """Nothing is claimed while it is paused; both commands may be repeated."""
    cli.fill(lambda book: book.call("a-1"))

    assert {"destination": "law", "paused": True, "changed": True} == cli.json("destinations", "pause", "law")
    assert not cli.json("destinations", "pause", "law")["changed"]
    assert "paused" == _states(cli)["law"]
    assert [] == cli.fill(lambda book: book.end("law", Verdict.DELIVERED))
    assert {"destination": "law", "was": "paused", "changed": True} == cli.json("destinations", "resume", "law")
    assert not cli.json("destinations", "resume", "law")["changed"]
    assert 1 == len(cli.fill(lambda book: book.end("law", Verdict.DELIVERED)))


def test_resume_opens_what_is_blocked(cli):
    """Blocked for good, as after Unknown Type, or its circuit open: its deliveries are claimed again at once."""

    async def block(book):
        await book.call("m-1", result="Busy")
        await book.call("m-2", result="Busy")
        await book.end("dialler", Verdict.HOLD, effect="block:never:unknown_type")

    cli.fill(block)
    assert "unknown_type" == _states(cli)["dialler"]
    [line] = [line for line in cli.json("destinations", "list") if line["destination"] == "dialler"]
    assert "never" == line["next_probe"]

    assert "unknown_type" == cli.json("destinations", "resume", "dialler")["was"]
    assert 2 == len(cli.fill(lambda book: book.end("dialler", Verdict.DELIVERED)))


def test_an_unknown_destination_is_status_1(cli):
    """For pause, resume and test."""
    for command in ("pause", "resume", "test"):
        assert "There is no destination nobody.\n" == cli.run("destinations", command, "nobody", status=1).stderr


@pytest.fixture
def tested(cli, standins_process):
    """Return a command line whose destinations are stand-ins, and a look at what they have recorded."""
    text = (cli.folder / "switchboard.toml").read_text()
    text = text.replace("http://127.0.0.1:9/captorra", f"{standins_process}/captorra/api/captorracalltracking/create")
    text = text.replace("http://127.0.0.1:9", standins_process).replace("a-comunik8-key", "standin-comunik8-key")
    cli.configure(text.replace("a-kapture-key", "standin-kapture-key"))

    def records(vendor):
        with urllib.request.urlopen(f"{standins_process}/control/records?vendor={vendor}", timeout=5) as reply:
            return json.load(reply)

    return cli, records


@pytest.mark.parametrize(("name", "vendor"), [("law", "captorra"), ("dialler", "comunik8"), ("crm", "kapture")])
def test_test_creates_nothing(tested, name, vendor):
    """Each vendor answers as expected and has no record afterwards."""
    cli, records = tested
    shown = cli.json("destinations", "test", name, REDIS_URL="")

    assert (True, vendor, 200, "") == tuple(shown[key] for key in ("ok", "vendor", "status", "reason"))
    assert shown["did"]
    assert not records(vendor)
    assert shown["did"] in cli.run("destinations", "test", name).stdout


@pytest.mark.parametrize(("name", "key"), [("dialler", "standin-comunik8-key"), ("crm", "standin-kapture-key")])
def test_test_tells_a_wrong_key(tested, name, key):
    """Status 1, and the key is not shown."""
    cli, _ = tested
    cli.configure((cli.folder / "switchboard.toml").read_text().replace(key, "a-wrong-key-0123456789"))
    result = cli.run("destinations", "test", name, "--json", status=1)

    shown = json.loads(result.stdout)
    assert (False, "unauthorized") == (shown["ok"], shown["reason"])
    assert "a-wrong-key-0123456789" not in result.output


def test_test_tells_a_vendor_that_is_away(cli):
    """Nothing listens on port 9."""
    assert "connect" == cli.json("destinations", "test", "law", status=1)["reason"]


def test_test_sends_nothing_where_every_request_could_write(cli):
    """Kapture keys for add and update alone cannot search."""
    text = (cli.folder / "switchboard.toml").read_text()
    keys = 'auth_keys = { add = "an-add-key", update = "an-update-key" }'
    cli.configure(text.replace('auth_key = "a-kapture-key"', keys))

    shown = cli.json("destinations", "test", "crm", status=1)
    assert ("sent nothing", "no_search_key") == (shown["did"], shown["reason"])
