"""The operator's requests to Kapture: search, select, update and add contact, each over one ``Http``."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from schemas.call import Call
from schemas.destination import Destination
from schemas.fields import phone_for
from schemas.kapture.customer import page_request
from schemas.kapture.listing import Customer
from schemas.kapture.reply import KaptureReply
from schemas.phones.phone import read_phone
from tasks.vendors.kapture import failure_of, is_absent, read_said
from tasks.vendors.protocol import Http
from worker.errors import Permanent
from worker.http.reply import MAX_REPLY_BYTES

WINDOW_S = 24 * 3600
"""The most that one select may span (the vendor's page on pulling customers by date range)."""

_SHORTEST_WINDOW_S = 60
"""The shortest window of a select; a window whose reply is cut is halved down to this."""

PAGE = 100
"""Customers a request: the vendor's own default."""


class _TooLong(Permanent):
    """Raised when a reply was cut where we stop reading."""

    def __init__(self) -> None:
        super().__init__("too_long", f"the reply is longer than the {MAX_REPLY_BYTES // 1024} KB that are read")


@dataclass(frozen=True, slots=True)
class Window:
    """A span of a select, in epoch seconds, both ends included."""

    start_s: int
    end_s: int

    def halves(self) -> tuple["Window", "Window"]:
        """Return its two halves, which share the second in the middle."""
        middle_s = (self.start_s + self.end_s) // 2
        return Window(self.start_s, middle_s), Window(middle_s, self.end_s)


def windows(since_ms: int, until_ms: int) -> list[Window]:
    """Cut a span into windows of 24 hours at most.

    Neighbours share a second: Kapture's dates have no fractions, and no customer may fall between two windows.
    """
    start_s, end_s = since_ms // 1000, -(-until_ms // 1000)
    starts = range(start_s, max(end_s, start_s + 1), WINDOW_S)
    return [Window(one, min(one + WINDOW_S, max(end_s, start_s + 1))) for one in starts]


async def search(destination: Destination, wanted: Mapping[str, str], *, http: Http) -> list[Customer]:
    """Return the customers that Kapture finds by ``wanted``; none when it knows none.

    Raises ``LookupError`` without a key for searching and ``DeliveryError`` when it does not answer the question.
    """
    said = await _ask(destination, "search", wanted, http=http)
    return [Customer.read(customer) for customer in said.customers]


async def select(destination: Destination, window: Window, *, http: Http) -> list[Customer]:
    """Return the customers added within a window, in the order of Kapture's list; raises as ``search`` does.

    Pages are asked for until one brings nobody new, so it does not matter whether Kapture minds limit and offset.
    """
    try:
        return await _select_whole(destination, window, http=http)
    except _TooLong:
        if window.end_s - window.start_s <= _SHORTEST_WINDOW_S:
            raise
    return await select_all(destination, window.halves(), http=http, advance=lambda _: None)


async def select_all(
    destination: Destination, wanted: Sequence[Window], *, http: Http, advance: Callable[[int], None]
) -> list[Customer]:
    """Return the customers of several windows, each once; ``advance`` is called with 1 after each window."""
    found: dict[str, Customer] = {}
    for window in wanted:
        for customer in await select(destination, window, http=http):
            found.setdefault(_identity(customer), customer)
        advance(1)
    return list(found.values())


async def update(destination: Destination, customer_id: str, fields: Mapping[str, str], *, http: Http) -> KaptureReply:
    """Change a customer's fields; raises as ``search`` does.

    The page adds whom it does not find: make sure beforehand that the customer is there.
    """
    return await _ask(destination, "update", {"customer_id": customer_id, **fields}, http=http, done=True)


async def add_contact(
    destination: Destination, customer_id: str, fields: Mapping[str, str], *, http: Http
) -> KaptureReply:
    """Add a contact to a customer; raises as ``search`` does. Nothing at Kapture keeps one from being added twice."""
    return await _ask(destination, "contact", {"customer_id": customer_id, **fields}, http=http, done=True)


def by_id(customer_id: str) -> dict[str, str]:
    """Return what a search by number asks: the document's key and the newer page's."""
    return {"customer_id": customer_id, "kapture_customer_id": customer_id}


def by_phone(number: str, destination: Destination) -> Iterator[dict[str, str]]:
    """Return what searches by phone ask: the number as we send it to this destination, then in its other forms."""
    phone = read_phone(number, default_region=destination.region)
    if phone is None:
        yield {"phone": number}
        return
    call = Call(
        call_id="", caller=phone.e164, caller_digits=phone.digits, caller_national=phone.national,
        country=phone.country, started_at=datetime.fromtimestamp(0, UTC),
    )  # fmt: skip
    sent = phone_for(call, phone_format=destination.phone_format, region=destination.region)
    for text in dict.fromkeys((sent, phone.national, phone.e164, phone.digits)):
        yield {"phone": text}


async def _select_whole(destination: Destination, window: Window, *, http: Http) -> list[Customer]:
    found: dict[str, Customer] = {}
    offset = 0
    while True:
        # The document's own names. The newer page's (createStartDate, createEndDate) are of another API, which wants
        # a cm_id and dates without time; a server that read them beside ours would see two days where we ask for one.
        dates = {"start_date": _written(window.start_s), "end_date": _written(window.end_s)}
        wanted = {**dates, "limit": str(PAGE), "offset": str(offset)}
        said = await _ask(destination, "select", wanted, http=http)
        before = len(found)
        for record in said.customers:
            customer = Customer.read(record)
            found.setdefault(_identity(customer), customer)
        if len(found) == before:
            return list(found.values())
        offset += len(said.customers)


async def _ask(
    destination: Destination, operation: str, values: Mapping[str, str], *, http: Http, done: bool = False
) -> KaptureReply:
    """Ask and judge; ``done``: only success is an answer, and "not there" is not."""
    response = await http.send(page_request(destination, operation, values), timeout_s=destination.timeout_s)
    reply, said = read_said(destination, response)
    if said.status == "success" or (not done and (said.customers or is_absent(reply, said))):
        return said
    if len(response.body) >= MAX_REPLY_BYTES:
        raise _TooLong
    raise failure_of(reply, said)


def _identity(customer: Customer) -> str:
    return customer.customer_id or repr(sorted(customer.record.items(), key=str))


def _written(epoch_s: int) -> str:
    """Write a moment as the document wants it, in UTC: in which zone Kapture reads it is nowhere said."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
