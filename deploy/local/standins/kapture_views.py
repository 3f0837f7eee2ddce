"""How Kapture shows its customers, and the window of dates that its select takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.local.standins.store import Record
from deploy.local.standins.wire import digits, text

_LONGEST = timedelta(hours=24)  # the vendor's page on pulling customers by date range
_DEFAULT_LIMIT = 100
_DATE_ONLY = 10


@dataclass(frozen=True, slots=True)
class Window:
    """What a select asks for; both ends included."""

    start_ms: int
    end_ms: int
    limit: int
    offset: int


def window(fields: dict[str, Any]) -> Window:
    """Read a select's dates, in UTC; raises ``ValueError`` in the vendor's words.

    ``start_date`` and ``end_date`` as in the document, or ``createStartDate`` and ``createEndDate`` as on the newer
    page; ``YYYY-MM-DD hh:mm:ss``, or the date alone, which for the end means the whole day.
    """
    first = text(fields, "start_date") or text(fields, "createStartDate")
    last = text(fields, "end_date") or text(fields, "createEndDate")
    if not first or not last:
        raise ValueError("Mandatory field missing")
    try:
        start, end = (datetime.fromisoformat(value).replace(tzinfo=UTC) for value in (first, last))
        limit, offset = int(fields.get("limit") or _DEFAULT_LIMIT), int(fields.get("offset") or 0)
    except (ValueError, TypeError):
        raise ValueError("Invalid date format") from None
    if len(last) == _DATE_ONLY:
        end += _LONGEST
    if end - start > _LONGEST:
        raise ValueError("Date range should not be more than 24 hours")
    return Window(int(start.timestamp() * 1000), int(end.timestamp() * 1000), limit, offset)


def listed(views: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a select's answer."""
    return {"message": views, "status": "success"}


def customer_view(record: Record, contacts: Sequence[Record]) -> dict[str, Any]:
    """Show a customer with the keys of the document's samples, the primary contact first."""
    values = record.values
    made = datetime.fromtimestamp(record.created_ms / 1000, UTC)
    return {
        "id": int(record.id),
        "cmId": 396,
        "isOrganization": False,
        "name": text(values, "name"),
        "address": text(values, "address"),
        "state": text(values, "state"),
        "city": text(values, "city"),
        "country": text(values, "country"),
        "currentStatus": "N",
        "generationDate": f"{made:%b} {made.day}, {made:%Y} {made.hour % 12 or 12}:{made:%M:%S %p}",
        "totalNoOfEnquiries": 1,
        "contacts": [
            _contact_view(record, record, number=0),
            *(_contact_view(contact, record, number=place + 1) for place, contact in enumerate(contacts)),
        ],
        "customerCode": text(values, "customer_code"),
        "classification": text(values, "classification"),
        "customerType": text(values, "type"),
        "deleted": False,
        "companyStatus": "A",
    }


def _contact_view(contact: Record, customer: Record, *, number: int) -> dict[str, Any]:
    made = datetime.fromtimestamp(contact.created_ms / 1000, UTC)
    return {
        "id": 365_384 + int(digits(contact.id)) + number,
        "leadId": int(customer.id),
        "contactPerson": text(contact.values, "name"),
        "gender": " ",
        "phone": text(contact.values, "phone"),
        "email": text(contact.values, "email"),
        "isPrimaryContact": contact is customer,
        "isActive": True,
        "generationDate": {
            "year": made.year,
            "month": made.month - 1,
            "dayOfMonth": made.day,
            "hourOfDay": made.hour,
            "minute": made.minute,
            "second": made.second,
        },
    }
