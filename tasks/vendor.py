"""The vendor protocol: what a kind of CRM must know to take deliveries."""

from typing import Protocol

from schemas.delivery import Order, Prepared, Receipt, Request, Response
from schemas.destination import VendorSpec


class Http(Protocol):
    """Sends one request and gives what came back; never retries, never follows a redirect."""

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Send; raises ``Transient`` on refused, reset, timeout, TLS and DNS failures."""
        ...


class Vendor(Protocol):
    """A kind of CRM: Captorra, Comunik8, Kapture."""

    @property
    def spec(self) -> VendorSpec:
        """Give what the settings need; ``spec.name`` is the registry key and the queue."""
        ...

    @property
    def updates(self) -> bool:
        """Say whether a changed call can be sent again as an update."""
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
