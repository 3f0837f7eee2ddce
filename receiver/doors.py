"""The doors: a limit on all connections, one on those of an address, and none stays that is silent or reads nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from itertools import islice, takewhile

from receiver.auth import Address, Subnet, in_networks, read_address

MOST_OF_ADDRESS = 500
HEADER_S = 5.0
"""How long a connection may take until a right token is there; servers send it with the first packet."""
UNREAD_S = 10.0
"""Seconds that an answer may stay unread."""
YOUNG_S = 1.0
"""A stranger's connection older than this makes room for any other when the house is full."""
AT_ONCE = 50
"""How many connections one sweep closes: closing thousands at once would keep the others waiting."""
IPV6_HOST_BITS = 64
"""One customer has all addresses of a /64, so they count as one."""


@dataclass(slots=True, eq=False)
class Visitor:
    """One connection."""

    transport: asyncio.Transport
    address: str
    came_at: float
    unread_since: float | None = None
    is_stranger: bool = True


class Doors:
    """Lets connections in, up to ``most`` and ``of_address``; ``proxies`` may have as many as there are.

    A connection is a stranger's until something on it was ``welcome``: a request with a right token. Strangers have
    ``HEADER_S`` in all. When the house is full, the oldest of them makes room, so that those who only hold doors keep
    out nobody who posts; but an address does not push out its own while they are young.
    ``refused`` is told the reason and the address of whoever is turned away or put out.
    """

    def __init__(
        self,
        *,
        most: int,
        refused: Callable[[str, str], None],
        proxies: Iterable[Subnet] = (),
        of_address: int = MOST_OF_ADDRESS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = most
        self._of_address = of_address
        self._proxies = tuple(proxies)
        self._refused = refused
        self._monotonic = monotonic
        self._inside: set[Visitor] = set()
        self._strangers: dict[Visitor, None] = {}
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many are connected."""
        return len(self._inside)

    def enter(self, transport: asyncio.Transport) -> Visitor | None:
        """Let a connection in; ``None`` when it may not come in: nothing of it is to be read then."""
        text = str((transport.get_extra_info("peername") or ("",))[0])
        address = read_address(text)
        name = _counted_as(address, text)
        now = self._monotonic()
        unlimited = address is not None and in_networks(address, self._proxies)
        if not unlimited and self._counts[name] >= self._of_address:
            self._refused("connections", text)
            return None
        if len(self._inside) >= self._most and not self._make_room(name, now):
            self._refused("connections", text)
            return None
        visitor = Visitor(transport, name, now)
        self._inside.add(visitor)
        self._strangers[visitor] = None
        self._counts[name] += 1
        return visitor

    def welcome(self, visitor: Visitor) -> None:
        """Note that a connection may stay."""
        if visitor.is_stranger:
            visitor.is_stranger = False
            self._strangers.pop(visitor, None)

    def leave(self, visitor: Visitor) -> None:
        """Forget a closed connection; calling it twice is harmless."""
        if visitor not in self._inside:
            return
        self._inside.remove(visitor)
        self._strangers.pop(visitor, None)
        self._counts[visitor.address] -= 1
        if not self._counts[visitor.address]:
            del self._counts[visitor.address]

    @property
    def strangers(self) -> int:
        """How many connections have sent no whole request yet."""
        return len(self._strangers)

    def sweep(self) -> None:
        """Close some connections that are strangers for too long or do not read; call it regularly."""
        now = self._monotonic()
        late = takewhile(lambda visitor: now - visitor.came_at >= HEADER_S, self._strangers)
        for visitor in list(islice(late, AT_ONCE)):
            self._put_out(visitor, "silent")
        for visitor in list(self._inside):
            if not visitor.transport.get_write_buffer_size():
                visitor.unread_since = None
            elif visitor.unread_since is None:
                visitor.unread_since = now
            elif now - visitor.unread_since >= UNREAD_S:
                self._put_out(visitor, "unread")

    def _make_room(self, name: str, now: float) -> bool:
        if not self._strangers:
            return False
        oldest = next(iter(self._strangers))
        if oldest.address == name and now - oldest.came_at < YOUNG_S:
            return False
        self._put_out(oldest, "connections")
        return True

    def _put_out(self, visitor: Visitor, reason: str) -> None:
        self.leave(visitor)
        self._refused(reason, visitor.address)
        visitor.transport.abort()


def _counted_as(address: Address | None, text: str) -> str:
    """Return what the connections of a peer are counted by: an IPv4 address, or the /64 of an IPv6 one."""
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(IPv6Address(int(address) >> IPV6_HOST_BITS << IPV6_HOST_BITS))
    return text if address is None else str(address)
