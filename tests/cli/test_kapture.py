"""``switchboard kapture``: search, select, update, add a contact, reconcile, at a stand-in in a process of its own."""

import json
import urllib.request

import pytest

from tests.cli.conftest import CALLER, CONFIG
from tests.standins_process import running_standins
from worker.ledger.records import Verdict

ANN = {"name": "Ann Lee", "phone": "0491570156", "email": "ann@example.com", "customer_code": "61491570156"}
KEY = "standin-kapture-key"
PAGES = ("search-customer", "select-customer", "add-update", "add-more-contacts")


@pytest.fixture(scope="module")
def standins_url():
    """Return the address of stand-ins that the tests of this file share: starting them takes longer than most tests."""
    with running_standins() as url:
        yield url


@pytest.fixture
def account(cli, standins_url):
    """Return a command line whose crm is the stand-in, which has one customer; what it was asked is counted."""
    made = Account(cli, standins_url)
    made.control("POST", "reset")
    made.configure()
    made.post("add-update-customer-from-other-source.html", ANN)
    return made


class Account:
    """A command line, and the Kapture account at its other end."""

    def __init__(self, cli, url):
        self.cli = cli
        self.url = url
        self.run, self.json = cli.run, cli.json

    def configure(self, *, keys=f'auth_key = "{KEY}"', more=""):
        """Write the configuration."""
        text = CONFIG.replace("http://127.0.0.1:9/kapture", f"{self.url}/kapture")
        self.cli.configure(text.replace('auth_key = "a-kapture-key"', keys) + more)

    def post(self, page, body):
        """Post to Kapture beside the product."""
        headers = {"Authorization": f"Basic {KEY}"}
        request = urllib.request.Request(f"{self.url}/kapture/{page}", json.dumps(body).encode(), headers)
        urllib.request.urlopen(request, timeout=10).close()

    def control(self, method, path, body=None):
        """Ask the control side."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/control/{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.load(reply)

    def records(self):
        """Return what Kapture has."""
        return self.control("GET", "records?vendor=kapture")

    def asked(self):
        """Return how often each page was asked, in the order of PAGES."""
        requests = self.control("GET", "requests?vendor=kapture")["requests"]
        return [sum(page in request["path"] for request in requests) for page in PAGES]


@pytest.mark.parametrize(
    "by",
    [
        ["272930"],
        ["--phone", "0491 570 156"],
        ["--phone", "+61491570156"],
        ["--email", "ann@example.com"],
        ["--customer-code", "61491570156"],
    ],
)
def test_a_customer_is_found_by_what_is_known_of_it(account, by):
    """One JSON list, with what Kapture gave under record; a line of a table without --json."""
    [found] = account.json("kapture", "search", *by)

    assert ["customer_id", "customer_code", "name", "phones", "emails", "created", "record"] == list(found)
    assert ("272930", "61491570156", "Ann Lee") == tuple(
        found[name] for name in ("customer_id", "customer_code", "name")
    )
    assert (["0491570156"], ["ann@example.com"]) == (found["phones"], found["emails"])
    assert found["record"]["customercode"] == "61491570156"
    assert "Ann Lee" in account.run("kapture", "search", *by).stdout


def test_nobody_found_is_status_1(account):
    """An empty list with --json, a sentence without."""
    assert [] == account.json("kapture", "search", "1", status=1)
    result = account.run("kapture", "search", "--phone", "0491570999", status=1)
    assert ("", "Kapture knows no such customer.\n") == (result.stdout, result.stderr)


@pytest.mark.parametrize("by", [[], ["1", "--phone", "0491570156"], ["--email", "a", "--customer-code", "b"]])
def test_a_search_is_by_one_thing(account, by):
    """Anything else is wrong use, and nothing is asked."""
    account.run("kapture", "search", *by, status=2)

    assert 0 == account.asked()[0]


def test_the_customers_of_a_time_are_listed(account):
    """In windows of a day; without a span the last day's; another day's are left out."""
    account.control("POST", "clock", {"advance_s": -3 * 86_400})
    account.post("add-update-customer-from-other-source.html", ANN | {"phone": "0491570157", "customer_code": "x"})

    assert ["272930"] == [one["customer_id"] for one in account.json("kapture", "select")]
    assert {"272930", "272931"} == {one["customer_id"] for one in account.json("kapture", "select", "--since", "4d")}
    assert ["272931"] == [
        one["customer_id"] for one in account.json("kapture", "select", "--since", "4d", "--until", "2d")
    ]
    assert [] == account.json("kapture", "select", "--since", "2h", "--until", "1h")
    account.run("kapture", "select", "--since", "1h", "--until", "2h", status=2)


def test_fields_of_a_customer_are_changed(account):
    """What was not named stays; an empty value is sent."""
    said = account.json("kapture", "update", "272930", "city=Perth", "state=", "address=1 = One St")

    assert {
        "destination": "crm", "customer_id": "272930", "status": "success", "message": "Customer Updated Successfully",
    } == said  # fmt: skip
    [record] = account.records()
    assert ANN.items() <= record["values"].items()
    assert {"city": "Perth", "state": "", "address": "1 = One St"}.items() <= record["values"].items()
    assert "272930: Customer Updated Successfully\n" == account.run("kapture", "update", "272930", "city=Perth").stdout


def test_an_unknown_customer_is_not_added_by_an_update(account):
    """The page would: so it is looked for first."""
    result = account.run("kapture", "update", "1", "name=B", "phone=0491570157", "email=b@example.com", status=1)

    assert "There is no customer 1.\n" == result.stderr
    assert 1 == len(account.records())


def test_without_a_key_for_searching_the_answer_tells_who_was_changed(account):
    """An update that came to another customer is status 1."""
    account.configure(keys=f'auth_keys = {{ add = "{KEY}", update = "{KEY}" }}')

    account.run("kapture", "update", "272930", "city=Perth")
    result = account.run("kapture", "update", "5", "phone=0491570156", "city=Perth", status=1)

    assert "Kapture says that it changed customer 272930.\n" == result.stderr
    assert 0 == account.asked()[0]
    result = account.run("kapture", "search", "272930", status=2)
    assert "destinations.crm.auth_keys: lacks search, which this needs\n" == result.stderr


def test_a_contact_is_added_once(account):
    """The customer's own number, or a contact's, is not added a second time unless --again says so."""
    contact = ("name=Bob", "phone=0491570157", "email=bob@example.com", "gender=M")
    said = account.json("kapture", "add-contact", "272930", *contact)

    assert ("272930", "success") == (said["customer_id"], said["status"])
    assert "M" == account.records()[1]["values"]["gender"]
    result = account.run("kapture", "add-contact", "272930", "name=Bob", "phone=+61 491 570 157", "email=b", status=1)
    assert "--again" in result.stderr
    assert 2 == len(account.records())
    account.run("kapture", "add-contact", "272930", *contact, "--again")
    assert 3 == len(account.records())
    account.run("kapture", "add-contact", "1", *contact, status=1)


@pytest.mark.parametrize(
    "fields",
    [
        ["city"],
        ["=x"],
        ["a=1", "a=2"],
        ["customer_id=5"],
        ["name=A", "phone=0491570157"],
        ["name=A", "email=", "phone="],
    ],
)
def test_fields_are_looked_at_before_anything_is_sent(account, fields):
    """Wrong use is status 2."""
    account.run("kapture", "add-contact", "272930", *fields, status=2)

    assert [0, 0, 1, 0] == account.asked()


@pytest.mark.parametrize(
    "command",
    [["search", "1"], ["select"], ["update", "272930", "city=x"], ["add-contact", "1", "name=a", "phone=b", "email=c"]],
)
@pytest.mark.parametrize("words", ["AuthKeyInvalid", "ServerFailure", "ReqFieldMissing", "APIExpired"])
def test_a_refusal_is_status_1_in_kaptures_words(account, command, words):
    """Each of the document's error messages, without the key."""
    body = json.dumps({"Message": f"{words} {KEY}", "Status": "Fail"})
    account.control("POST", "faults", {"vendor": "kapture", "status": 200, "body": body})

    result = account.run("kapture", *command, "--json", status=1)

    assert "" == result.stdout
    assert words in result.stderr
    assert KEY not in result.stderr


def test_a_lost_answer_says_how_to_look(account):
    """Nobody knows whether the contact is there."""
    account.control("POST", "faults", {"vendor": "kapture", "path": "/add-more", "mode": "store_then_drop"})

    result = account.run("kapture", "add-contact", "272930", "name=B", "phone=0491570157", "email=b@c", status=1)

    assert "is not known; look with: switchboard kapture search" in result.stderr


def test_the_destination_may_be_left_out_where_it_is_clear(account):
    """Two accounts, none, an unknown one, and one of another vendor."""
    second = (
        f'\n[destinations.crm2]\nvendor = "kapture"\nurl = "{account.url}/kapture"\nauth_key = "k2"\nemail = "a@b"\n'
    )

    assert 1 == len(account.json("kapture", "search", "272930", "--destination", "crm"))
    account.run("kapture", "search", "272930", "--destination", "nobody", status=1)
    account.run("kapture", "search", "272930", "--destination", "law", status=2)
    account.configure(more=second)
    result = account.run("kapture", "search", "272930", status=2)
    assert "Say which Kapture destination, with --destination: crm, crm2.\n" == result.stderr
    assert 1 == len(account.json("kapture", "search", "272930", "--destination", "crm"))
    account.cli.configure('[receiver]\ntokens = ["a-token-for-tests-only"]\n')
    assert "none is configured" in account.run("kapture", "search", "272930", status=2).stderr


async def _delivered(book, *callers):
    """Bring in calls whose deliveries to Kapture count as made."""
    for caller in callers:
        await book.call(f"call-{caller[-3:]}", caller=caller)
        await book.end("crm", Verdict.DELIVERED, effect="ok")


def test_reconcile_reports_and_fixes(account):
    """Kapture has one of three; the two others are told and put back, and the second time they are pending."""
    account.cli.fill(lambda book: _delivered(book, CALLER, "+61491570157", "+61491570158"))

    report = account.json("kapture", "reconcile", "--since", "1h")
    fixed = account.json("kapture", "reconcile", "--fix")
    again = account.json("kapture", "reconcile", "--fix")

    assert ["since", "until", "calls", "customers", "absent", "pending", "too_old", "fixed"] == list(report)
    assert (3, 3, 0, 0, 0) == tuple(report[name] for name in ("calls", "customers", "pending", "too_old", "fixed"))
    assert {"call-157", "call-158"} == {one["call_id"] for one in report["absent"]}
    assert {"delivery", "call_id", "customer_id", "calls", "delivered_at"} == set(report["absent"][0])
    assert (2, 2, 0) == (len(fixed["absent"]), fixed["fixed"], fixed["pending"])
    assert [] == again["absent"]
    assert 2 == sum(
        one["reason"] == "reconciled" for one in account.json("deliveries", "list") if one["destination"] == "crm"
    )


def test_reconcile_tells_a_person(account):
    """A table of the absent and a sentence; no number of a caller."""
    account.cli.fill(lambda book: _delivered(book, CALLER, "+61491570157"))

    result = account.run("kapture", "reconcile")

    assert "call-157" in result.stdout
    assert "2 customers of 2 calls: 1 absent, 0 pending, 0 delivered again\n" in result.stdout
    assert "491570157" not in result.stdout


def test_reconcile_leaves_calls_beyond_max_age_alone(account):
    """Their delivery would be skipped, and no longer count as delivered."""
    account.configure(keys=f'auth_key = "{KEY}"\nmax_age = "1h"')

    async def old(book):
        await book.call("old-1", caller="+61491570157", PLA_CallStartTime="00000001556755937003")
        await book.end("crm", Verdict.DELIVERED, effect="ok")

    account.cli.fill(old)
    done = account.json("kapture", "reconcile", "--fix")

    assert (1, 1, 0) == (len(done["absent"]), done["too_old"], done["fixed"])
    assert "max_age" in account.run("kapture", "reconcile").stderr


def test_reconcile_needs_keys_and_an_answer(account):
    """Status 2 names the missing keys; status 1 tells why Kapture did not answer, and nothing is put back."""
    account.cli.fill(lambda book: _delivered(book, "+61491570157"))
    account.control("POST", "faults", {"vendor": "kapture", "status": 503})
    result = account.run("kapture", "reconcile", "--fix", "--json", status=1)
    assert ("", "crm: unavailable: Service Unavailable") == (result.stdout, result.stderr.split("\n")[0])
    assert "queued" not in {one["state"] for one in account.json("deliveries", "list") if one["destination"] == "crm"}

    account.configure(keys=f'auth_keys = {{ add = "{KEY}", update = "{KEY}", search = "{KEY}" }}')
    result = account.run("kapture", "reconcile", status=2)
    assert "destinations.crm.auth_keys: lacks select, which this needs\n" == result.stderr
