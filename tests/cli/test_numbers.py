"""``switchboard numbers``: search, provision, update and list, against the Callcap stand-in."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from deploy.cli import numbers as commands
from deploy.cli.number_options import option_of
from schemas.callcap.parameters import ProvisionParameters, SearchParameters, UpdateParameters
from tests.cli.callcap_standin import EXACT

TODAY = datetime.now(UTC).astimezone().date()


@pytest.mark.parametrize(
    ("command", "schema"),
    [
        (commands.search, SearchParameters()),
        (commands.provision, ProvisionParameters()),
        (commands.update, UpdateParameters(today=TODAY)),
    ],
)
def test_every_documented_parameter_is_an_option(command, schema):
    """By the document's name in kebab case, with a help text."""
    options = {option.name: option for option in command.params}

    assert schema.fields.keys() == options.keys() - {"number", "key", "dry_run", "as", "as_json"}
    for name in schema.fields:
        assert option_of(name) in options[name].opts
        assert options[name].help


def test_a_search_lists_numbers_and_needs_no_redis(cli, standin):
    """As a table with whatever Callcap says of each, or as JSON with the whole reply."""
    wanted = ("--area-code", "316", "--vanity-text", "###cake", "--no-show-tollfree")
    found = cli.json("numbers", "search", "--area-code", "316", REDIS_URL="")
    table = cli.run("numbers", "search", "--area-code", "316", "--line", "0142").stdout

    assert ("done", "3165550100", 50) == (found["state"], found["numbers"][0], len(found["numbers"]))
    assert "success" == found["reply"]["status"]
    assert {"number", "city", "ratecenter"} <= {word.lower() for word in table.split()}
    assert ("3165550142", "Wichita") == tuple(re.findall(r"3165550142|Wichita", table)[:2])
    assert "Nothing was found." in cli.run("numbers", "search", *wanted).stderr


def test_a_search_that_got_no_answer_could_not(cli, standin):
    """Status 1, with a JSON value all the same."""
    standin.lay(status=503)

    assert "waiting" == cli.json("numbers", "search", status=1)["state"]


def test_a_number_is_provisioned_updated_and_listed(cli, standin):
    """With the Delacon service that it serves, which an update may change."""
    done = cli.json(
        "numbers", "provision", *EXACT, "--memo1", "123", "--no-recording", "--campaign-name", "Smith", "--key", "p-1"
    )
    before = cli.json("numbers", "list")
    changed = cli.run("numbers", "update", "3165550142", "--memo1", "456", "--stop-date", f"{TODAY + timedelta(1)}")
    [after] = cli.json("numbers", "list")["numbers"]

    assert ("p-1", "done", "3165550142", "") == (done["key"], done["state"], done["number"], done["advice"])
    assert [] == before["open"]
    assert ["123"] == [number["delacon_service"] for number in before["numbers"]]
    assert "3165550142 is updated" in changed.stdout
    assert ("3165550142", "456", "L-3", "p-1") == tuple(
        after[name] for name in ("number", "delacon_service", "account", "key")
    )
    assert (False, "Smith") == (after["campaign"]["recording"], after["campaign"]["campaignName"])
    assert "456" in cli.run("numbers", "list").stdout
    assert "done" == cli.json("numbers", "list", "--key", "p-1")["state"]


def test_search_and_provision_at_once(cli, standin):
    """Callcap chooses the first number that matches."""
    assert (
        "4155550100 is provisioned"
        in cli.run("numbers", "provision", "--location-id", "3", "--area-code", "415").stdout
    )


def test_a_key_is_made_and_printed_and_gives_the_first_result(cli, standin):
    """On standard error, so that standard output stays one JSON value; the same key posts nothing more."""
    first = cli.run("numbers", "provision", *EXACT, "--json")
    [key] = set(re.findall(r"num-[a-z]+", first.stderr))
    second = cli.json("numbers", "provision", *EXACT, "--key", key)

    assert json.loads(first.stdout) == second
    assert 1 == standin.posts()
    other = cli.run("numbers", "provision", "--account", "L-3", "--area-code", "212", "--key", key, status=2)
    assert f"{key} stands for a different request; nothing was sent" in other.stderr
    assert 1 == standin.posts()


def test_a_made_key_is_printed_before_anything_is_sent(cli, standin, free_port):
    """Even when Redis is not there to take the request: then nothing is sent at all."""
    failed = cli.run("numbers", "provision", *EXACT, status=1, REDIS_URL=f"redis://127.0.0.1:{free_port}")

    assert failed.stderr.startswith("The key of this request is num-")
    assert "Nothing was sent, for the ledger did not take the request" in failed.stderr
    assert 0 == standin.asked()


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("provision", *EXACT, "--recording"), ("POST", "/callcap/v3/numbers/", {"recording": "true"})),
        (("update", "3165550142", "--memo1", "7"), ("POST", "/callcap/v3/numbers/3165550142", {"memo1": "7"})),
        (("search", "--vanity-text", "##cake"), ("GET", "/callcap/v3/numbers/?vanityText=%23%23cake", {})),
    ],
)
def test_a_dry_run_prints_the_request_and_sends_nothing(cli, standin, command, shown):
    """Whole, but for the key; and nothing is written down either, so it needs no Redis."""
    request = cli.json("numbers", *command, "--dry-run", REDIS_URL="")["request"]
    text = cli.run("numbers", *command, "--dry-run", REDIS_URL="").stdout

    method, address, body = shown
    assert (method, standin.url + address) == (request["method"], request["url"])
    assert body.items() <= (request["body"] or {}).items()
    assert f"{method} {standin.url}{address}" in text
    assert "Authorization: Bearer [blanked]" in text
    assert "standin-callcap-key" not in f"{request}{text}"
    assert 0 == standin.asked()


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (("provision", "--phone-number", "3165550142"), "--account (account): give locationID or account"),
        (("provision", *EXACT, "--location-id", "3"), "--account (account): give locationID or account, not both"),
        (("provision", *EXACT, "--evaluation", "delayed"), "--evaluation (evaluation): must be 'off' or 'realtime'"),
        (("provision", "--account", "L-3"), "--phone-number (phoneNumber): give phoneNumber, or what to search by"),
        (("provision", *EXACT, "--key", "3165550142"), "--key: must not hold 10 digits in a row"),
        (("update", "3165550142", "--stop-date", "2020-01-01"), "--stop-date (stopDate): must be today or later"),
        (("update", "3165550142"), "give at least one parameter to change"),
        (("update", "316", "--memo1", "1"), "NUMBER: must be a number of 10 digits"),
        (("search", "--show-reserved-pool"), "--show-reserved-pool (showReservedPool): needs locationID or account"),
        (("search", "--vanity-text", "call me"), "--vanity-text (vanityText): must be 1 to 10 letters, digits, * or #"),
    ],
)
def test_wrong_use_is_told_before_anything_is_sent(cli, standin, command, fault):
    """Status 2, with the option and what would be right."""
    assert fault in cli.run("numbers", *command, status=2).stderr
    assert 0 == standin.asked()


def test_without_callcap_in_the_configuration(cli):
    """Status 2; a list needs no account, and shows one request only when there is one."""
    for command in (("search",), ("provision", *EXACT), ("update", "3165550142", "--memo1", "1")):
        assert "[callcap] is missing" in cli.run("numbers", *command, status=2).stderr
    assert {"numbers": [], "open": []} == cli.json("numbers", "list")
    assert "No number was provisioned here." in cli.run("numbers", "list").stderr
    assert "There is no request k." in cli.run("numbers", "list", "--key", "k", status=1).stderr
