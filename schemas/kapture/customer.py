"""Kapture's customers: pages, and the bodies of add, update and contact (the document "Customer API")."""

from collections.abc import Mapping

from schemas.call import Call
from schemas.delivery import Request
from schemas.destination import Destination, VendorSpec
from schemas.fields import phone_for
from schemas.kapture.options import SCHEME, KaptureOptions, KaptureOptionsSchema
from schemas.mapping import Filled, fill

PAGES: Mapping[str, str] = {
    "add": "add-update-customer-from-other-source.html",
    "update": "add-update-customer-from-other-source.html",
    "search": "search-customer-by-customer-id.html",
    "select": "select-customer-between-start-and-end-dates.html",
    "contact": "add-more-contacts-for-existing-customer.html",
}
"""The page of each operation (the document's "Sample Request URL"); every operation may have a key of its own."""

SPEC = VendorSpec(
    name="kapture",
    options=KaptureOptionsSchema,
    default_fields={
        "name": "Caller {caller_national}",
        "customer_code": "{caller_digits}",
        "city": "{city}",
        "state": "{state}",
        "country": "{country}",
        "type": "{result}",
        "classification": "{search_type}",
    },
    required_fields=frozenset({"name", "phone", "email"}),
    fixed_fields=frozenset({"phone", "email"}),
    template_options=frozenset({"email"}),
    secret_options=frozenset({"auth_key", "auth_keys"}),
)

_OF_STAFF = frozenset({"name", "email"})
"""What staff may have typed over; an update leaves it alone (contract, section 6, Kapture callers)."""


def fill_customer(call: Call, destination: Destination) -> Filled:
    """Make the texts of an add: every mapped field (contract, section 7)."""
    return fill(destination.fields, call, by_code=_by_code(call, destination), limits={})


def update_of(filled: Filled, call: Call) -> Filled:
    """Make the texts of an update of those of an add: without name and email, always with ``customer_code``."""
    values = {key: value for key, value in filled.values.items() if key not in _OF_STAFF}
    if call.caller_digits:
        values.setdefault("customer_code", call.caller_digits)
    return Filled(values, filled.notes)


def fill_contact(call: Call, destination: Destination) -> Filled:
    """Make the texts of one more contact: of the default mapping only the name, and whatever the configuration set."""
    fields = {
        key: wanted
        for key, wanted in destination.fields.items()
        if key == "name" or wanted is None or wanted.source != SPEC.default_fields.get(key)
    }
    return fill(fields, call, by_code=_by_code(call, destination), limits={})


def page_request(destination: Destination, operation: str, values: Mapping[str, str]) -> Request:
    """Return the request of one operation of ``PAGES``; raises ``LookupError`` when there is no key for it."""
    options: KaptureOptions = destination.options
    key = options.key_of(operation)
    if key is None:
        raise LookupError(f"no auth key for {operation}")
    return Request(
        method="POST",
        url=f"{destination.url.rstrip('/')}/{PAGES[operation]}",
        headers={"Authorization": key if key.startswith(SCHEME) else SCHEME + key},
        json=[dict(values)] if options.body == "array" else dict(values),
    )


def _by_code(call: Call, destination: Destination) -> dict[str, str]:
    options: KaptureOptions = destination.options
    return {
        "phone": phone_for(call, phone_format=destination.phone_format, region=destination.region),
        "email": options.email.render(call.text),
    }
