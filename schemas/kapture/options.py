"""Kapture's own keys of a destination."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import RAISE, ValidationError, post_load, validates_schema
from marshmallow.fields import Nested

from schemas.options import Option, OptionsSchema, one_of, secret, template, text, written_as
from schemas.template import Template

SCHEME = "Basic "
"""What stands before a key in the header; a configured key may have it already."""

OPERATIONS = ("add", "update", "search", "select", "contact")
"""What may have a key of its own: Kapture generates one with each API."""


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
        """Return the key of one of ``OPERATIONS``; ``None`` when the configuration has none for it."""
        return self.auth_key or self.auth_keys.get(operation)


def _auth_key(value: object) -> str:
    """Read a key; ``Basic `` may stand before it."""
    key = text(value)
    return SCHEME + secret(key[len(SCHEME) :]) if key.casefold().startswith("basic ") else secret(key)


@written_as(type=["string", "integer"])
def _customer_id(value: object) -> str:
    """Read the customer's number, written as a number or a text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


class _AuthKeysSchema(OptionsSchema):
    """Reads the key of each operation."""

    class Meta:
        unknown = RAISE

    error_messages = {  # noqa: RUF012  marshmallow's own
        "type": "must be a table of keys",
        "unknown": f"unknown operation; must be one of {', '.join(OPERATIONS)}",
    }
    add = Option(_auth_key)
    update = Option(_auth_key)
    search = Option(_auth_key)
    select = Option(_auth_key)
    contact = Option(_auth_key)


class KaptureOptionsSchema(OptionsSchema):
    """Reads Kapture's own keys (contract, section 4)."""

    auth_key = Option(_auth_key)
    auth_keys = Nested(_AuthKeysSchema, load_default=None)
    email = Option(template, required=True)
    body = Option(one_of("object", "array"), default="object")
    mode = Option(one_of("customer", "contact"), default="customer")
    customer_id = Option(_customer_id)
    when = Option(one_of("end", "start"), default="end")

    @validates_schema(skip_on_field_errors=False)
    def _check_keys(self, data: Mapping[str, Any], **_: Any) -> None:
        if not {"auth_key", "auth_keys", "mode"} <= data.keys():
            return  # one of them has a fault of its own
        key, keys = data["auth_key"], data["auth_keys"]
        if key and keys is not None:
            raise ValidationError("set auth_key or auth_keys, not both", "auth_keys")
        if not key and keys is None:
            raise ValidationError("is required, or auth_keys with a key for each operation", "auth_key")
        needed = ("add", "update") if data["mode"] == "customer" else ("contact", "search")
        if keys is not None and (missing := [name for name in needed if not keys[name]]):
            raise ValidationError(f"lacks {' and '.join(missing)}, which this mode needs", "auth_keys")

    @validates_schema(skip_on_field_errors=False)
    def _check_mode(self, data: Mapping[str, Any], **_: Any) -> None:
        if not {"mode", "customer_id"} <= data.keys():
            return
        if data["mode"] == "contact" and not data["customer_id"]:
            raise ValidationError('is required with mode = "contact"', "customer_id")
        if data["mode"] == "customer" and data["customer_id"]:
            raise ValidationError('goes only with mode = "contact"', "customer_id")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> KaptureOptions:
        keys = {name: key for name, key in (data.pop("auth_keys") or {}).items() if key}
        return KaptureOptions(auth_keys=keys, **data)
