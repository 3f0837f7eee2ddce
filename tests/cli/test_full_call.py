"""A call that holds as much as it may: shown, routed anew, delivered and erased like any other."""

from schemas.delacon.events import Event
from tests.cli.conftest import CALLER, CONFIG
from worker.ledger.records import Incoming, Verdict

FIRST_US = 1_772_452_800_000_000
TRANSFERRED = CONFIG.replace('results = ["answered"]', 'results = ["transferred"]')


async def _full_call(book):
    """Bring in a start, 300 ends that differ, and ten events of 60 KB."""
    await book.event({"PLA_Call_Id": "full-1", "PLA_Caller_Phone_Number": CALLER, "PLA_CID": "123"})
    ends = [Event("full-1", "e", {"PLA_CallResult": "Transferred", "PLA_Duration": str(n)}) for n in range(300)]
    large = [Event("full-1", "e", {f"key{n}": "1", "PLA_RecordingFile": "r" * 60_000}) for n in range(10)]
    items = [Incoming("full-1", FIRST_US + place, one.record()) for place, one in enumerate([*ends, *large])]
    await book.ledger.accept(items)
    await book.event({"PLA_Call_Id": "full-1", "PLA_dtmf": "7"}, kind="update")


def test_a_full_call_is_shown_with_the_values_of_all_its_events(cli):
    """At most 200 events, the latest received value of each key, and a revision for each event."""
    cli.fill(_full_call)
    shown = cli.json("calls", "show", "full-1")

    assert 190 < len(shown["events"]) <= 200
    assert (299, "7", "unrouted") == (shown["call"]["duration"], shown["call"]["ivr_option"], shown["state"])
    assert shown["revision"] > 300
    assert "full-1" in cli.run("calls", "show", "full-1").stdout


def test_a_full_call_is_routed_anew_and_delivered_again(cli):
    """As any other."""
    cli.fill(_full_call)
    cli.configure(TRANSFERRED)
    cli.run("calls", "reroute")
    ended = cli.fill(lambda book: book.end("law", Verdict.DEAD, reason="rejected"))

    assert ["full-1:law:create"] == [str(key) for key in ended]
    cli.run("dead", "replay", "full-1:law:create")
    assert ended == cli.fill(lambda book: book.end("law", Verdict.DELIVERED, effect="ok"))
    [law] = [one for one in cli.json("calls", "show", "full-1")["deliveries"] if one["destination"] == "law"]
    assert "delivered" == law["state"]


def test_what_a_full_call_had_no_room_for_stays_in_quarantine_until_it_is_erased(cli):
    """A retry that finds no room leaves it there; erasing the call takes it too."""
    cli.fill(_full_call)
    kept = cli.json("quarantine", "list")

    assert {"call_too_large"} == {line["reason"] for line in kept}
    cli.run("quarantine", "retry", kept[0]["id"], status=1)
    assert kept == cli.json("quarantine", "list")
    cli.run("erase", "--call", "full-1", "--yes")
    assert [] == cli.json("quarantine", "list")
    cli.run("calls", "show", "full-1", status=1)
