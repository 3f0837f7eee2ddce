"""What Sentinels tell: whom a process leaves, and when it trusts its primary no more."""

import pytest

from worker import primary
from worker.sentinels import told

OLD, NEW = ("10.0.0.1", 6379), ("10.0.0.2", 6380)
SWITCH = "mymaster 10.0.0.1 6379 10.0.0.2 6380"


@pytest.fixture(autouse=True)
def nothing_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as a process does."""
    for name, value in (("old", ("", 0)), ("new", ("", 0)), ("until", 0.0), ("changing_until", 0.0)):
        monkeypatch.setattr(primary._Switch, name, value)


def test_a_switch_is_followed_though_another_sentinel_names_the_old_primary():
    """They tell each other within seconds; any other address is taken as it is."""
    before = primary.standing()
    told("+switch-master", SWITCH, "mymaster")

    assert (NEW, NEW, ("10.0.0.3", 6379)) == (
        primary.follow(OLD), primary.follow(NEW), primary.follow(("10.0.0.3", 6379)),
    )  # fmt: skip
    assert before != primary.standing()


def test_three_sentinels_that_tell_of_one_switch_are_one():
    """Connections are made anew once."""
    told("+switch-master", SWITCH, "mymaster")
    after_one = primary.standing()
    told("+switch-master", SWITCH, "mymaster")

    assert after_one == primary.standing()
    told("+switch-master", "mymaster 10.0.0.2 6380 10.0.0.1 6379", "mymaster")
    assert after_one != primary.standing()
    assert OLD == primary.follow(NEW)


@pytest.mark.parametrize(
    ("channel", "text"),
    [("+switch-master", "another 10.0.0.1 6379 10.0.0.2 6380"), ("+switch-master", "mymaster 10.0.0.1"),
     ("+switch-master", ""), ("+elected-leader", "master another 10.0.0.1 6379"), ("+elected-leader", "mymaster")],
)  # fmt: skip
def test_what_does_not_concern_our_primary_changes_nothing(channel: str, text: str):
    """Sentinels may watch several."""
    before = primary.standing()
    told(channel, text, "mymaster")

    assert before is not None
    assert (before, OLD) == (primary.standing(), primary.follow(OLD))


@pytest.mark.parametrize("end", ["-failover-abort-no-good-slave", "-failover-abort-slave-timeout", "+switch-master"])
def test_a_primary_is_not_trusted_from_the_election_to_the_end(end: str):
    """The end is a switch, or that there is none."""
    told("+elected-leader", "master mymaster 10.0.0.1 6379", "mymaster")
    assert primary.standing() is None
    told(end, SWITCH if end == "+switch-master" else "master mymaster 10.0.0.1 6379", "mymaster")

    assert primary.standing() is not None
