"""``switchboard quarantine``: bodies that could not be read."""

from schemas.delacon.events import StoredEvent


def _keep(body, reason="the body is not JSON", received_us=1_772_452_800_000_000, path_kind="create"):
    async def work(book):
        return await book.ledger.quarantine(body, reason=reason, path_kind=path_kind, received_us=received_us)

    return work


def test_lists_the_newest_first_and_shows(cli):
    """A line has the id, the time of receipt, the reason and the size; show has the body."""
    first = cli.fill(_keep(b"{nonsense \xff"))
    second = cli.fill(_keep(b"[]", "the body is not a JSON object", 1_772_452_900_000_000))

    lines = cli.json("quarantine", "list")

    assert [second, first] == [line["id"] for line in lines]
    assert {
        "id": first, "received_at": "2026-03-02T12:00:00.000Z", "reason": "the body is not JSON", "path": "create",
        "bytes": 11,
    } == lines[1]  # fmt: skip
    assert {**lines[1], "body": "{nonsense \ufffd"} == cli.json("quarantine", "show", first)
    assert 1 == len(cli.json("quarantine", "list", "--limit", "1"))
    assert "nonsense" in cli.run("quarantine", "list").stdout
    assert "nonsense" in cli.run("quarantine", "show", first).stdout


def test_unknown_ids_are_status_1(cli):
    """For show and retry."""
    cli.run("quarantine", "show", "nobody", status=1)
    cli.run("quarantine", "retry", "nobody", status=1)


def test_retry_takes_in_what_can_be_read_now(cli):
    """It counts as received when it was, and leaves quarantine."""
    body_id = cli.fill(_keep(b'{"PLA_Call_Id": "a-1", "PLA_CallResult": "Answered"}', path_kind="update"))

    [result] = cli.json("quarantine", "retry", body_id)

    assert {"id": body_id, "accepted": True, "outcome": "stored", "call_id": "a-1"} == result
    assert [] == cli.json("quarantine", "list")
    [call] = cli.fill(lambda book: book.ledger.load(["a-1"]))
    assert (StoredEvent(1_772_452_800_000_000, "e", {"PLA_CallResult": "Answered"}),) == call.events


def test_retry_keeps_what_still_cannot_be_read(cli):
    """Named, it is status 1; among all it is told and no more."""
    bad = cli.fill(_keep(b"{nonsense"))
    good = cli.fill(_keep(b'{"PLA_Call_Id": "a-1"}'))

    assert "Still not usable" in cli.run("quarantine", "retry", bad, status=1).stderr
    assert {bad: False, good: True} == {one["id"]: one["accepted"] for one in cli.json("quarantine", "retry")}
    assert [bad] == [line["id"] for line in cli.json("quarantine", "list")]
    assert "not JSON" in cli.run("quarantine", "retry").stdout


def test_retry_of_an_event_that_is_there_already(cli):
    """It is told as stored before."""
    cli.fill(_keep(b'{"PLA_Call_Id": "a-1"}'))
    cli.run("quarantine", "retry")
    cli.fill(_keep(b'{"PLA_Call_Id": "a-1"}'))

    assert "stored before" == cli.json("quarantine", "retry")[0]["outcome"]
