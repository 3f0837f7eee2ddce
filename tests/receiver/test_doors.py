"""Who may stay connected."""

import resource
from collections import Counter

import pytest

from receiver.auth import subnets
from receiver.doors import AT_ONCE, HEADER_S, UNREAD_S, YOUNG_S, Doors, Visitor
from receiver.lifecycle import within_files
from tests.receiver.scripted import receiver_settings


class Transport:
    """A transport as doors see it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.unsent = 0
        self.aborted = False

    def get_extra_info(self, name):
        """Return the peer."""
        assert "peername" == name
        return (self.address, 40000)

    def get_write_buffer_size(self):
        """Return what the peer has not taken."""
        return self.unsent

    def abort(self):
        """Hang up."""
        self.aborted = True


class House:
    """Doors with a clock, and what they told."""

    def __init__(self, **options):
        self.now = 0.0
        self.refused: Counter[str] = Counter()
        self.doors = Doors(
            refused=lambda reason, _: self.refused.update([reason]), monotonic=lambda: self.now, **options
        )

    def come(self, address: str, *, asks: bool = False) -> tuple[Visitor | None, Transport]:
        """Let somebody come."""
        transport = Transport(address)
        visitor = self.doors.enter(transport)  # type: ignore[arg-type]
        if asks and visitor is not None:
            self.doors.welcome(visitor)
        return visitor, transport


def test_one_address_has_so_many_and_another_has_its_own():
    """Whoever is beyond is not let in, and one that leaves makes room."""
    house = House(most=100, of_address=3)
    first = [house.come("10.0.0.1")[0] for _ in range(3)]

    assert None is house.come("10.0.0.1")[0]
    assert house.come("10.0.0.2")[0] is not None
    assert first[0] is not None
    house.doors.leave(first[0])
    house.doors.leave(first[0])
    assert house.come("10.0.0.1")[0] is not None
    assert ({"connections": 1}, 4) == (house.refused, len(house.doors))


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.11", False),
        ("", "", True),
    ],
)
def test_what_counts_as_one_address(one, other, together):
    """A /64 of IPv6 is one customer's; IPv4 inside IPv6 is IPv4."""
    house = House(most=100, of_address=1)
    house.come(one)

    assert together is (house.come(other)[0] is None)


def test_proxies_may_have_as_many_as_there_are():
    """All senders come from them."""
    house = House(most=10, of_address=2, proxies=subnets(["10.9.0.0/16"]))

    assert None not in [house.come("10.9.0.1", asks=True)[0] for _ in range(10)]
    assert None is house.come("10.9.0.1")[0]


def test_a_full_house_turns_away_whoever_comes_next():
    """Those inside have asked something, or came just now from the same address."""
    house = House(most=3, of_address=3)
    inside = [house.come("10.0.0.1", asks=True), house.come("10.0.0.2", asks=True), house.come("10.0.0.3")]

    assert None is house.come("10.0.0.3")[0]
    assert not any(transport.aborted for _, transport in inside)
    assert 3 == len(house.doors)


def test_the_oldest_silent_one_makes_room_for_another_address():
    """So that those who only hold doors keep nobody out; who has asked stays."""
    house = House(most=3, of_address=3)
    asked = house.come("10.0.0.1", asks=True)
    silent = [house.come("10.0.0.1"), house.come("10.0.0.1")]

    assert house.come("10.0.0.2")[0] is not None
    assert [True, False] == [transport.aborted for _, transport in silent]
    assert not asked[1].aborted
    assert (3, 1) == (len(house.doors), house.refused["connections"])


def test_an_address_replaces_its_own_silent_ones_once_they_are_old():
    """Its senders send their requests at once."""
    house = House(most=2, of_address=10)
    old = house.come("10.0.0.1")
    house.come("10.0.0.1")
    assert None is house.come("10.0.0.1")[0]

    house.now = YOUNG_S
    assert house.come("10.0.0.1")[0] is not None
    assert old[1].aborted


def test_who_asks_nothing_in_time_is_put_out():
    """And nobody else, nor twice."""
    house = House(most=10)
    silent, asked = house.come("10.0.0.1"), house.come("10.0.0.1", asks=True)
    house.now = HEADER_S - 0.1
    late = house.come("10.0.0.1")
    house.doors.sweep()
    assert not silent[1].aborted

    house.now = HEADER_S
    house.doors.sweep()
    house.doors.sweep()
    assert [True, False, False] == [one[1].aborted for one in (silent, asked, late)]
    assert ({"silent": 1}, 2) == (house.refused, len(house.doors))


def test_a_crowd_is_put_out_some_at_a_time():
    """Sweep by sweep, the oldest first, so that others are served in between."""
    house = House(most=1000, of_address=1000)
    crowd = [house.come("10.0.0.1")[1] for _ in range(AT_ONCE * 2 + 1)]
    house.now = HEADER_S
    counts = []
    for _ in range(4):
        house.doors.sweep()
        counts.append(sum(one.aborted for one in crowd))

    assert [AT_ONCE, AT_ONCE * 2, AT_ONCE * 2 + 1, AT_ONCE * 2 + 1] == counts


@pytest.mark.parametrize(
    ("files", "most"), [(1024, 960), (65536, 2000), (2064, 2000), (2063, 1999), (10, 1), (resource.RLIM_INFINITY, 2000)]
)
def test_there_are_no_more_connections_than_files(files, most):
    """What cannot be accepted would keep the loop busy with nothing."""
    assert most == within_files(receiver_settings(max_connections=2000), files).max_connections


def test_who_does_not_read_is_put_out():
    """An answer that was taken in time, or a slow reader that empties it once, does no harm."""
    house = House(most=10)
    stuck, slow, quick = (house.come("10.0.0.1", asks=True)[1] for _ in range(3))
    stuck.unsent = slow.unsent = 100
    for second in range(int(UNREAD_S) + 2):
        house.now = float(second)
        slow.unsent = 0 if second == 5 else 100
        house.doors.sweep()

    assert [True, False, False] == [one.aborted for one in (stuck, slow, quick)]
    assert {"unread": 1} == house.refused
