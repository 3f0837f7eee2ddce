"""``switchboard calls`` and ``deliveries``: what is shown of the ledger."""

from worker.ledger.records import Verdict


async def _some_calls(book):
    await book.call("answered-1")
    await book.call("missed-1", result="Unanswered")
    await book.call("odd-1", result="Transferred")
    await book.call("open-1", result=None)
    await book.end("law", Verdict.DELIVERED, effect="ok", reply='{"success":true}')


def test_lists_the_newest_first(cli):
    """Every call is a line with its state and the states of its deliveries."""
    cli.fill(_some_calls)

    lines = cli.json("calls", "list")

    assert {"open-1": "waiting", "odd-1": "unrouted", "missed-1": "ready", "answered-1": "ready"} == {
        line["call_id"]: line["state"] for line in lines
    }
    assert {"law": "delivered", "crm": "queued"} == {
        one["destination"]: one["state"] for line in lines if line["call_id"] == "answered-1"
        for one in line["deliveries"]
    }  # fmt: skip


def test_lists_by_state_and_caller(cli):
    """--state and --caller narrow the list; a number may be written as people write it."""
    cli.fill(_some_calls)
    cli.fill(lambda book: book.call("other-1", caller="+61491570157"))

    assert ["odd-1"] == [line["call_id"] for line in cli.json("calls", "list", "--state", "unrouted")]
    assert ["other-1"] == [line["call_id"] for line in cli.json("calls", "list", "--caller", "0491 570 157")]
    assert 1 == len(cli.json("calls", "list", "--limit", "1"))
    assert [] == cli.json("calls", "list", "--until", "1h")
    assert "other-1" in cli.run("calls", "list").stdout


def test_shows_a_call_in_the_contracts_shape(cli):
    """The keys of section 8, and every attempt with the reply."""
    cli.fill(_some_calls)

    shown = cli.json("calls", "show", "answered-1")

    assert ["call", "state", "revision", "routes", "events", "deliveries"] == list(shown)
    assert ("ready", 1, ["law", "crm"]) == (shown["state"], shown["revision"], shown["routes"])
    assert ("+61491570156", "answered", 50) == tuple(shown["call"][key] for key in ("caller", "result", "duration"))
    assert {"destination", "vendor", "action", "state", "reason", "notes", "attempts"} == set(shown["deliveries"][0])
    law = next(one for one in shown["deliveries"] if one["destination"] == "law")
    assert ("captorra", "create", "delivered", ["String01 cut"]) == tuple(
        law[key] for key in ("vendor", "action", "state", "notes")
    )
    assert {
        "number": 1, "time": "2026-03-02T12:00:00.000Z", "milliseconds": 12, "status": 400, "outcome": "dead",
        "reason": "", "reply": '{"success":true}',
    } == law["attempts"][0]  # fmt: skip
    assert '{"success":true}' in cli.run("calls", "show", "answered-1").stdout


def test_an_unknown_call_is_status_1(cli):
    """One sentence on standard error and nothing on standard output."""
    result = cli.run("calls", "show", "nobody", "--json", status=1)

    assert "" == result.stdout
    assert "There is no call nobody.\n" == result.stderr


def test_what_waits_for_its_destination_is_held(cli):
    """Held is derived: paused, blocked with its reason, circuit open, not configured."""

    async def shut(book):
        await book.call("a-1")
        await book.ledger.redis.hset("sb:gate:law", mapping={"blocked": "unauthorized", "probe_at": "never"})
        await book.ledger.redis.hset("sb:gate:crm", mapping={"open": "1", "probe_at": "never"})

    def states():
        return {
            one["destination"]: (one["state"], one["reason"]) for one in cli.json("calls", "show", "a-1")["deliveries"]
        }

    cli.fill(shut)
    assert {"law": ("held", "unauthorized"), "crm": ("held", "circuit_open")} == states()

    cli.run("destinations", "pause", "law")
    assert ("held", "paused") == states()["law"]
    assert 2 == len(cli.json("deliveries", "list", "--state", "held"))

    cli.configure('[receiver]\ntokens = ["a-token-for-tests-only"]\n')
    assert {("held", "no_destination")} == set(states().values())


def test_lists_deliveries(cli):
    """By destination and by state, each with the moment that applies."""
    cli.fill(_some_calls)
    cli.fill(lambda book: book.end("dialler", Verdict.DEAD, reason="rejected", reply="no"))

    everything = cli.json("deliveries", "list")

    assert {"answered-1:law:create", "answered-1:crm:create", "missed-1:dialler:create"} == {
        line["key"] for line in everything
    }
    assert ["missed-1:dialler:create"] == [line["key"] for line in cli.json("deliveries", "list", "--state", "dead")]
    [queued] = cli.json("deliveries", "list", "--destination", "crm")
    assert ("queued", None) == (queued["state"], queued["ended_at"])
    assert queued["due_at"]
    assert 1 == len(cli.json("deliveries", "list", "--limit", "1"))
    assert "rejected" in cli.run("deliveries", "list").stdout
    assert "nobody" in cli.run("deliveries", "list", "--destination", "nobody", status=1).stderr


def test_lists_what_is_in_flight(cli):
    """A claimed delivery shows when its lease ends."""

    async def claim(book):
        await book.call("a-1")
        await book.ledger.claim("law", want=1, lease_ms=60_000)

    cli.fill(claim)

    [line] = cli.json("deliveries", "list", "--state", "in_flight")
    assert ("a-1:law:create", 1) == (line["key"], line["attempts"])
    assert line["lease_until"]


def test_reroutes_all_unrouted(cli):
    """A route added later takes what matched none; deliveries there are stay as they are."""
    cli.fill(_some_calls)
    with (cli.folder / "switchboard.toml").open("a") as file:
        file.write('[[routes]]\nto = ["law"]\nresults = ["transferred"]\n')

    assert {"calls": 1, "deliveries": 1, "unrouted": 0, "unknown": []} == cli.json("calls", "reroute")
    assert {"calls": 0, "deliveries": 0, "unrouted": 0, "unknown": []} == cli.json("calls", "reroute")
    assert "ready" == cli.json("calls", "show", "odd-1")["state"]


def test_reroutes_what_was_unrouted_since(cli):
    """What has waited for longer is left alone; ids and times do not go together."""
    cli.fill(_some_calls)
    with (cli.folder / "switchboard.toml").open("a") as file:
        file.write('[[routes]]\nto = ["law"]\nresults = ["transferred"]\n')

    assert 0 == cli.json("calls", "reroute", "--until", "1h")["calls"]
    assert 1 == cli.json("calls", "reroute", "--since", "1h")["calls"]
    cli.run("calls", "reroute", "odd-1", "--since", "1h", status=2)


def test_reroutes_named_calls(cli):
    """A routed call gets what its routes add; an unknown id is status 1 and does not stop the others."""
    cli.fill(_some_calls)
    with (cli.folder / "switchboard.toml").open("a") as file:
        file.write('[[routes]]\nto = ["dialler"]\nresults = ["answered"]\n')

    done = cli.json("calls", "reroute", "answered-1", "nobody", status=1)

    assert {"calls": 1, "deliveries": 1, "unrouted": 0, "unknown": ["nobody"]} == done
    assert 3 == len(cli.json("calls", "show", "answered-1")["deliveries"])


def test_control_characters_do_not_reach_the_terminal(cli):
    """A webhook cannot move the cursor of the person who looks at it."""
    cli.fill(lambda book: book.call("a-1", PLA_Dealer_Name="evil\x1b[2Jname"))

    assert "\x1b" not in cli.run("calls", "list").stdout
    assert "\x1b" not in cli.run("calls", "show", "a-1").stdout


def test_a_lead_that_was_cancelled_names_the_answered_call(cli):
    """As a note of the lead that was never sent, and of the withdrawal of one that was."""

    async def calls(book):
        await book.call("missed-1", result="Unanswered")
        await book.end("dialler", Verdict.DELIVERED)
        await book.call("missed-2", result="Busy", caller="+61491570157")
        await book.call("answered-1")
        await book.call("answered-2", caller="+61491570157")

    cli.fill(calls)
    withdrawn = {one["action"]: one["notes"] for one in cli.json("calls", "show", "missed-1")["deliveries"]}
    [unsent] = cli.json("calls", "show", "missed-2")["deliveries"]

    assert "the caller got through in call answered-1" in withdrawn["cancel"]
    assert ("answered_since", ["the caller got through in call answered-2"]) == (unsent["reason"], unsent["notes"])
    assert "the caller got through in call answered-2" in cli.run("calls", "show", "missed-2").stdout
