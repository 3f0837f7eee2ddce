"""A caller who cannot be read never replaces one who can, whichever event brings which."""

import pytest

from schemas.delacon.events import StoredEvent, merge

CALLER = "PLA_Caller_Phone_Number"


def caller_of(*events):
    """Merge events given as kind and caller, received one after the other."""
    stored = [StoredEvent(second * 1_000_000, kind, {CALLER: text}) for second, (kind, text) in enumerate(events)]
    return merge("1122334", stored, default_region="AU").call


@pytest.mark.parametrize("unreadable", ["anonymous", "266696687", "4.9157E+08", "+0491570156"])
@pytest.mark.parametrize("kinds", ["ss", "se", "sc", "cs", "ee", "cc", "ce", "ec"])
def test_a_readable_caller_stands(kinds, unreadable):
    """A later event, or an end, that brings an unreadable one changes nothing; nor is it noted."""
    first, second = kinds
    call = caller_of((first, "0491 570 156"), (second, unreadable))

    assert "+61491570156" == call.caller
    assert not any("caller" in note for note in call.notes)


@pytest.mark.parametrize("kinds", ["ss", "se", "sc", "cs", "ee", "cc", "ce", "ec"])
def test_a_readable_caller_replaces_any(kinds):
    """As every later value does; an unreadable one all the more."""
    first, second = kinds

    assert "+61491570157" == caller_of((first, "0491570156"), (second, "0491570157")).caller
    assert "+61491570157" == caller_of((first, "anonymous"), (second, "0491570157")).caller


def test_a_start_before_or_after_an_unreadable_end_is_read():
    """An end's value stands over a start's only where it can be read."""
    assert "+61491570156" == caller_of(("e", "anonymous"), ("s", "0491570156")).caller
    assert "+61491570157" == caller_of(("e", "0491570157"), ("s", "0491570156")).caller
