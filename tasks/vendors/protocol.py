"""The vendor protocol: what a kind of CRM must know to take deliveries."""

from datetime import datetime
from typing import Protocol, runtime_checkable

from schemas.delivery import Order, Prepared, Receipt, Request, Response
from schemas.destination import Destination, VendorSpec


class Http(Protocol):
    """Sends one request and returns the response; never retries, never follows a redirect."""

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send; raises ``Transient`` on refused, reset, timeout, TLS and DNS failures."""
        ...


class Vendor(Protocol):
    """A kind of CRM: Captorra, Comunik8, Kapture. A vendor's class inherits the methods that have a default here."""

    @property
    def spec(self) -> VendorSpec:
        """Return what the settings need; ``spec.name`` is the registry key and the queue."""
        ...

    @property
    def updates(self) -> bool:
        """Return whether a changed call can be sent again as an update."""
        ...

    @property
    def one_at_a_time(self) -> bool:
        """Return whether the deliveries of one caller must not run side by side, and the caller is remembered."""
        ...

    @property
    def suppressible(self) -> bool:
        """Return whether the list of suppressed numbers keeps calls from this vendor."""
        ...

    def delivers_at_start(self, destination: Destination) -> bool:
        """Return whether the destination takes a call before its end; the default is no."""
        del destination
        return False

    def withdraw_within_s(self, destination: Destination) -> float | None:
        """Return the window in seconds in which an answered call withdraws the caller's missed one.

        ``None``, the default: never.
        """
        del destination
        return None

    def withdraw_scope(self, destination: Destination) -> str:
        """Return what an answered call shares with the missed one: ``route``, ``service`` or ``destination``."""
        del destination
        return "route"

    def resend_is_safe(self, destination: Destination) -> bool:
        """Return whether sending a request twice is harmless, so that a cut attempt may be tried again at once."""
        ...

    def prepare(self, order: Order) -> Prepared:
        """Build the request of an attempt; pure. Raises ``Skipped`` or ``Permanent``."""
        ...

    def judge(self, order: Order, response: Response) -> Receipt:
        """Read the vendor's verdict by its words first; pure. Raises a ``DeliveryError`` for anything but yes."""
        ...

    async def send(self, order: Order, *, prepared: Prepared, http: Http) -> Receipt:
        """Make the attempt; several requests where the vendor needs them."""
        ...


@runtime_checkable
class Considerate(Protocol):
    """A vendor that makes somebody ring a caller, and so has quiet hours and a do-not-call list."""

    def quiet_until(self, order: Order, *, now: datetime) -> datetime | None:
        """Return when the caller may be rung, where that is not now."""
        ...

    def list_age_s(self, destination: Destination) -> float | None:
        """Return how old the do-not-call list may be that a caller is looked up on; ``None``: as old as it is."""
        ...


@runtime_checkable
class Testable(Protocol):
    """A vendor with a harmless request, one that creates nothing, for ``switchboard destinations test``."""

    def probe(self, destination: Destination) -> Prepared:
        """Build the request; its one note says what it does. Raises ``Permanent`` when the configuration has no way."""
        ...

    def judge_probe(self, destination: Destination, response: Response) -> str:
        """Return a sentence on what the answer shows; raises a ``DeliveryError`` when it is not the expected one."""
        ...
