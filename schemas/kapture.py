"""Kapture's customers: options, pages, and the bodies of add, update and contact (the document "Customer API")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import RAISE, ValidationError, post_load, validates_schema
from marshmallow.fields import Nested

from schemas.call import Call
from schemas.delivery import Request
from schemas.destination import Destination, VendorSpec
from schemas.fields import phone_for
from schemas.mapping import Filled, fill
from schemas.options import Option, OptionsSchema, one_of, secret, template, text
from schemas.template import Template

_SCHEME = "Basic "

PAGES: Mapping[str, str] = {
    "add": "add-update-customer-from-other-source.html",
    "update": "add-update-customer-from-other-source.html",
    "search": "search-customer-by-customer-id.html",
    "select": "select-customer-between-start-and-end-dates.html",
    "contact": "add-more-contacts-for-existing-customer.html",
}
"""The page of each operation (the document's "Sample Request URL"); every operation may have a key of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KaptureOptions:
    """Kapture's own keys of a destination."""

    auth_key: str | None = field(repr=False)
    auth_keys: Mapping[str, str] = field(repr=False)
    email: Template
    body: str
    mode: str
    customer_id: str | None
    when: str

    def key_of(self, operation: str) -> str | None:
        """Give the key of one of ``PAGES``; ``None`` when the configuration has none for it."""
        return self.auth_key or self.auth_keys.get(operation)


def _auth_key(value: object) -> str:
    """Read a key; ``Basic `` may stand before it."""
    key = text(value)
    return _SCHEME + secret(key[len(_SCHEME) :]) if key.casefold().startswith("basic ") else secret(key)


def _customer_id(value: object) -> str:
    """Read the customer's number, written as a number or a text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


class _AuthKeysSchema(OptionsSchema):
    """Reads the key of each operation."""

    class Meta:
        unknown = RAISE

    add = Option(_auth_key)
    update = Option(_auth_key)
    search = Option(_auth_key)
    select = Option(_auth_key)
    contact = Option(_auth_key)


class KaptureOptionsSchema(OptionsSchema):
    """Reads Kapture's own keys (contract, section 4)."""

    auth_key = Option(_auth_key)
    auth_keys = Nested(_AuthKeysSchema, load_default=None, error_messages={"type": "must be a table of keys"})
    email = Option(template, required=True)
    body = Option(one_of("object", "array"), default="object")
    mode = Option(one_of("customer", "contact"), default="customer")
    customer_id = Option(_customer_id)
    when = Option(one_of("end", "start"), default="end")

    @validates_schema
    def _check_keys(self, data: Mapping[str, Any], **_: Any) -> None:
        keys = data.get("auth_keys")
        if data.get("auth_key") and keys is not None:
            raise ValidationError("set auth_key or auth_keys, not both", "auth_keys")
        if keys is None:
            if not data.get("auth_key"):
                raise ValidationError("is required, or auth_keys with a key for each operation", "auth_key")
            return
        needed = ("add", "update") if data.get("mode") == "customer" else ("contact", "search")
        if missing := [name for name in needed if not keys.get(name)]:
            raise ValidationError(f"lacks {' and '.join(missing)}, which this mode needs", "auth_keys")

    @validates_schema
    def _check_mode(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("mode") == "contact" and not data.get("customer_id"):
            raise ValidationError('is required with mode = "contact"', "customer_id")
        if data.get("mode") == "customer" and data.get("customer_id"):
            raise ValidationError('goes only with mode = "contact"', "customer_id")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> KaptureOptions:
        keys = {name: key for name, key in (data.pop("auth_keys") or {}).items() if key}
        return KaptureOptions(auth_keys=keys, **data)


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


def fill_update(call: Call, destination: Destination) -> Filled:
    """Make the texts of an update: without name and email, always with ``customer_code``."""
    filled = fill_customer(call, destination)
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
    """Give the request of one operation of ``PAGES``; raises ``LookupError`` when there is no key for it."""
    options: KaptureOptions = destination.options
    key = options.key_of(operation)
    if key is None:
        raise LookupError(f"no auth key for {operation}")
    return Request(
        method="POST",
        url=f"{destination.url.rstrip('/')}/{PAGES[operation]}",
        headers={"Authorization": key if key.startswith(_SCHEME) else _SCHEME + key},
        json=[dict(values)] if options.body == "array" else dict(values),
    )


def _by_code(call: Call, destination: Destination) -> dict[str, str]:
    options: KaptureOptions = destination.options
    return {
        "phone": phone_for(call, phone_format=destination.phone_format, region=destination.region),
        "email": options.email.render(call.text),
    }
