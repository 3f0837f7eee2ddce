"""A call's story in words: each state, each outcome, and what is not known stays as it is."""

import pytest

from deploy.console.story import standing, story, vendor_name, why


def delivery(state: str, *, action: str = "create", reason: str = "", **changes):
    """Return a delivery's shape, as contract section 8 has it."""
    return {
        "destination": "crm", "vendor": "kapture", "action": action, "state": state, "reason": reason, "attempts": [],
    } | changes  # fmt: skip


def attempt(outcome: str, *, time: str = "2026-03-02T12:00:02.000Z", **changes):
    """Return an attempt's shape."""
    return {
        "number": 1, "time": time, "milliseconds": 12, "status": 200, "outcome": outcome, "reason": "", "reply": "",
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (delivery("delivered"), "Delivered to crm (Kapture)"),
        (delivery("delivered", reason="duplicate"), "Delivered to crm (Kapture), which had it already"),
        (delivery("delivered", action="cancel"), "Withdrawn from crm (Kapture)"),
        (delivery("queued"), "About to be sent to crm (Kapture)"),
        (delivery("in_flight"), "About to be sent to crm (Kapture)"),
        (delivery("retrying", reason="made_up"), "Will be tried again at crm (Kapture): made up"),
        (delivery("held", reason="made_up"), "Held back for crm (Kapture): made up"),
        (delivery("dead", reason="made_up"), "Given up for crm (Kapture): made up"),
        (delivery("skipped", reason="made_up"), "Not sent to crm (Kapture): made up"),
        (delivery("cancelled"), "Cancelled for crm (Kapture)"),
    ],
)
def test_where_a_delivery_stands_is_one_sentence(shape, sentence):
    """Every state of the contract has its own."""
    assert sentence == standing(shape)


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        ("delivered", "crm (Kapture) said yes"),
        ("retry", "crm (Kapture) could not take it; we try again"),
        ("dead", "Given up: crm (Kapture) did not take it"),
        ("blocked", "crm (Kapture) is blocked"),
        ("skipped", "Not sent to crm (Kapture)"),
        ("unknown", "Sent to crm (Kapture), and no answer came back"),
    ],
)
def test_each_outcome_of_an_attempt_has_its_words(outcome, title):
    """With what is known of it, and nothing for what is not."""
    shape = {
        "events": [],
        "deliveries": [delivery("queued", attempts=[attempt(outcome, reason="made_up", reply="no")])],
    }
    [chapter] = story(shape)

    assert title in chapter.title
    assert "made up: “no”" == chapter.text
    assert {"try": "1", "answer": "HTTP 200", "took": "12 ms", "its words": "no"} == dict(chapter.details)


def test_an_attempt_without_an_answer_tells_neither_status_nor_time():
    """Its worker may have been killed."""
    lost = attempt("unknown", status=None, milliseconds=None)
    [chapter] = story({"events": [], "deliveries": [delivery("queued", attempts=[lost])]})

    assert {"try": "1"} == dict(chapter.details)
    assert "" == chapter.text


def test_the_story_is_told_in_the_order_of_time():
    """Webhooks, attempts, and what operators did."""
    event = {"received_at": "2026-03-02T12:00:00.000Z", "kind": "start and end", "values": {"PLA_CID": 1}}
    done = {
        "at": "2026-03-02T12:00:01.000Z", "who": "ann", "what": "deliveries.made_up", "by": "cli", "from": "h",
        "which": "1",
    }  # fmt: skip
    shape = {"events": [event], "deliveries": [delivery("delivered", attempts=[attempt("delivered")])]}
    chapters = story(shape, [done])

    assert ["plain", "hand", "good"] == [chapter.tone for chapter in chapters]
    assert "ann did: deliveries.made_up" == chapters[1].title
    assert (("PLA_CID", "1"),) == chapters[0].details


@pytest.mark.parametrize(
    ("vendor", "name"),
    [("captorra", "Captorra"), ("acme", "acme"), (None, "a vendor that is not set up any more")],
)
def test_a_vendor_is_written_as_it_writes_itself(vendor, name):
    """One that is not configured any more has no name."""
    assert name == vendor_name(vendor)


def test_an_unknown_reason_is_shown_as_it_is():
    """A later version may write others."""
    assert "made up" == why("made_up")
