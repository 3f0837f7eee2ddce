"""An operator's commands against the whole system: what they do takes effect within seconds, on real processes."""

import json
import time

import pytest
from click.testing import CliRunner

from deploy.cli.main import main
from tests.acceptance.stack import TOKEN, end_of, start_of

SOON_S = 3.0  # the clock ticks twice a second; the rest is for a busy machine


class Operated:
    """A running stack, and the command line beside it."""

    def __init__(self, stack):
        self.stack = stack

    def run(self, *arguments, status=0):
        """Run a command; return its JSON value."""
        done = CliRunner().invoke(main, [*arguments, "--json"], env=self.stack.environ)
        assert status == done.exit_code, done.output
        return json.loads(done.stdout)

    def call(self, call_id, caller="+61491570156"):
        """Push a whole call."""
        assert 200 == self.stack.post("create", start_of(call_id, caller))[0]
        assert 200 == self.stack.post("update", end_of(call_id))[0]

    def states(self, call_id):
        """Return the states of a call's deliveries by destination."""
        return {one["destination"]: one["state"] for one in self.run("calls", "show", call_id)["deliveries"]}

    def wait_for_captorra(self, count):
        """Wait for so many records at Captorra; return the seconds that it took."""
        began = time.monotonic()
        self.stack.wait_for(lambda: len(self.stack.records("captorra")) == count, 20, "records at captorra")
        return time.monotonic() - began


@pytest.fixture
def operated(make_stack):
    """Return a running stack."""
    stack = make_stack()
    stack.start()
    return Operated(stack)


def test_dead_letters_are_mended_and_replayed(operated):
    """A vendor that refuses makes dead letters; after the mending a replay delivers them soon."""
    operated.stack.lay_fault({"vendor": "captorra", "status": 400, "body": '{"error": "no thanks"}'})
    for number in range(3):
        operated.call(f"dead-{number}", f"+6149157015{number}")
    operated.stack.wait_for(lambda: len(operated.run("dead", "list")) == 3, 20, "three dead letters")
    [cause] = operated.run("dead", "list", "--by", "cause")
    assert (3, "law", "rejected") == (cause["count"], cause["destination"], cause["reason"])
    assert "no thanks" in cause["words"]
    assert "dead-0" == operated.run("dead", "show", "dead-0:law:create")["payload"]["ID"]

    operated.stack.lift_faults()
    assert 3 == operated.run("dead", "replay", "--destination", "law")["replayed"]

    assert SOON_S > operated.wait_for_captorra(3)
    assert [] == operated.run("dead", "list")


def test_pausing_suppressing_and_quarantine(operated):
    """A paused destination and a suppressed number get nothing while others do; resumed, it gets all soon."""
    operated.run("destinations", "pause", "law")
    operated.run("suppress", "add", "0491 570 156")
    operated.call("paused-1")
    operated.stack.wait_for(lambda: operated.states("paused-1").get("dialler") == "skipped", 20, "the suppressed lead")
    operated.stack.wait_for(lambda: len(operated.stack.records("kapture")) == 1, 20, "the customer")
    assert {"law": "held", "crm": "delivered", "dialler": "skipped"} == operated.states("paused-1")
    assert [0, 0] == [operated.stack.requests(vendor) for vendor in ("captorra", "comunik8")]

    operated.run("destinations", "resume", "law")
    assert SOON_S > operated.wait_for_captorra(1)

    assert 400 == operated.stack.post("create", b"{nonsense")[0]
    [line] = operated.run("quarantine", "list")
    assert "{nonsense" == operated.run("quarantine", "show", line["id"])["body"]
    operated.run("quarantine", "retry", line["id"], status=1)


def test_what_is_erased_in_flight_does_not_come_back(operated):
    """Its attempt ends at the vendor, and nothing of it is written; a late push is answered and not delivered."""
    url = f"http://127.0.0.1:{operated.stack.port}"
    sent = operated.run("send", "--count", "2", "--url", url, "--token", TOKEN)
    assert (4, 4, 2) == (sent["webhooks"], sent["acknowledged"], len(sent["call_ids"]))
    operated.wait_for_captorra(2)
    operated.stack.lay_fault({"vendor": "captorra", "latency_ms": 3000})
    operated.call("erased-1")
    operated.stack.wait_for(lambda: operated.stack.requests("captorra") == 3, 20, "an attempt under way")

    done = operated.run("erase", "--call", "erased-1", "--yes")

    assert ("law", "maybe") in {(one["destination"], one["holds"]) for one in done["vendors_hold"]}
    operated.wait_for_captorra(3)
    operated.stack.wait_for(lambda: "late_finish_ignored" in operated.stack.log("worker0"), 20, "the late finish")
    operated.call("erased-1")
    assert set(sent["call_ids"]) == {line["call_id"] for line in operated.run("calls", "list")}
