"""The callers that the ledger says it has delivered to a Kapture destination, and delivering them again."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.call import Call
from schemas.delacon.events import merge
from schemas.delivery import FINAL, DeliveryKey, State
from schemas.destination import Destination
from schemas.kapture.customer import fill_customer
from schemas.kapture.options import KaptureOptions
from schemas.kapture.reply import digits_of
from tasks.delivery.order import UNSURE
from tasks.vendors.kapture import CUSTOMER_ID
from worker.ledger import queries
from worker.ledger.admin import memories, redeliver
from worker.ledger.audit import Action
from worker.ledger.ledger import Ledger
from worker.ledger.records import StoredCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """One caller whom the ledger has delivered, and what Kapture may know the customer by."""

    key: DeliveryKey
    """The newest delivered call's."""
    delivered_ms: int
    calls: int
    group: str = field(repr=False)
    customer_id: str
    """As Kapture gave it; empty when it gave none."""
    code: str = field(repr=False)
    phone: str = field(repr=False)
    """As it was sent."""
    numbers: frozenset[str] = field(repr=False)
    """Its forms, by their digits."""
    started_at: datetime
    under_way: bool
    """Another delivery of this caller waits or is under way."""
    remembered: bool
    """The next delivery of this caller would update; else it adds."""

    @property
    def pending(self) -> bool:
        """Say whether a delivery that will add the customer waits already."""
        return self.under_way and not self.remembered


async def delivered_callers(
    ledger: Ledger, destination: Destination, *, since_ms: int, until_ms: int, default_region: str
) -> list[Delivered]:
    """Give the callers of the calls received in a span that were delivered, by their newest call first."""
    found: dict[str, Delivered] = {}
    under_way: set[str] = set()
    async for stored, group, is_open in _calls(ledger, destination.name, since_ms=since_ms, until_ms=until_ms):
        if is_open:
            under_way.add(group)
        create = stored.deliveries[destination.name, "create"]
        if create.state is not State.DELIVERED:
            continue
        if group in found:
            found[group] = replace(found[group], calls=found[group].calls + 1)
            continue
        call = merge(stored.call_id, stored.events, default_region=default_region).call
        found[group] = _delivered(call, destination, create.key, group=group, delivered_ms=create.at_ms)
    callers = list(found.values())
    remembered = await memories(ledger, destination.name, [one.group for one in callers])
    return [
        replace(
            one,
            under_way=one.group in under_way,
            remembered=bool(memory.keys() - {UNSURE}),
            customer_id=memory.get(CUSTOMER_ID, ""),
        )
        for one, memory in zip(callers, remembered, strict=True)
    ]


async def deliver_again(ledger: Ledger, absent: Sequence[Delivered], *, by: Action | None = None) -> int:
    """Deliver the newest call of each absent customer again, as an add; return how many were still delivered."""
    return sum(await redeliver(ledger, [one.key for one in absent], by=by))


async def _calls(
    ledger: Ledger, destination: str, *, since_ms: int, until_ms: int
) -> AsyncIterator[tuple[StoredCall, str, bool]]:
    """Give the calls with a delivery to the destination, their group, and whether one of theirs is not final."""
    async for page in queries.call_ids(ledger, since_ms=since_ms, until_ms=until_ms):
        for stored in await ledger.load(page):
            records = [record for (name, _), record in stored.deliveries.items() if name == destination]
            if (destination, "create") in stored.deliveries:
                group = stored.deliveries[destination, "create"].group or stored.call_id
                yield stored, group, any(record.state not in FINAL for record in records)


def _delivered(call: Call, destination: Destination, key: DeliveryKey, *, group: str, delivered_ms: int) -> Delivered:
    options: KaptureOptions = destination.options
    sent = fill_customer(call, destination).values
    phone = sent.get("phone", "")
    numbers = {digits_of(phone), call.caller_digits or "", call.caller_national or ""} - {""}
    return Delivered(
        key=key, delivered_ms=delivered_ms, calls=1, group=group, customer_id="",
        code="" if options.mode == "contact" else sent.get("customer_code", ""), phone=phone,
        numbers=frozenset(numbers), started_at=call.started_at, under_way=False, remembered=False,
    )  # fmt: skip
