"""Comunik8's leads: add and cancel (the document "Comunik8 - Leads API")."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from marshmallow import post_load

from schemas.call import Call
from schemas.destination import Destination, VendorSpec
from schemas.fields import phone_for
from schemas.hours import Hours
from schemas.mapping import Filled, fill
from schemas.options import Option, OptionsSchema, duration_s, flag, hours, one_of, secret, template, text, zone
from schemas.reply import Reply, flag_of, normal, texts_in
from schemas.template import Template

DAY_S = 86400.0
"""A missed call is worth calling back for a day (contract, section 4: the default of ``max_age``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comunik8Options:
    """Comunik8's own keys of a destination; durations in seconds."""

    api_key: str = field(repr=False)
    type: str
    subtype: str | None
    delay: float | None
    test: bool
    cancel_when_answered: float | None
    cancel_scope: str
    """``route``, ``service`` or ``destination``: what the answered call must share with the missed one."""
    quiet_hours: Hours | None
    """When nobody is called back, on the callee's own clock."""
    timezone: ZoneInfo | None
    """For callees whose number tells no country."""
    do_not_call: float | None
    """How old the do-not-call list may be that a lead is looked up on."""
    email: Template


class Comunik8OptionsSchema(OptionsSchema):
    """Reads Comunik8's own keys (contract, section 4)."""

    api_key = Option(secret, required=True)
    type = Option(text, required=True)
    subtype = Option(text)
    delay = Option(duration_s)
    test = Option(flag, default=False)
    cancel_when_answered = Option(duration_s)
    cancel_scope = Option(one_of("route", "service", "destination"), default="route")
    quiet_hours: Option[Hours | None] = Option(hours)
    timezone: Option[ZoneInfo | None] = Option(zone)
    do_not_call = Option(duration_s)
    email = Option(template, required=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Comunik8Options:
        return Comunik8Options(**data)


SPEC = VendorSpec(
    name="comunik8",
    options=Comunik8OptionsSchema,
    default_fields={"first_name": "Caller", "surname": "{caller_national}"},
    required_fields=frozenset({"mobile", "first_name", "surname", "email", "type"}),
    fixed_fields=frozenset({"mobile", "email", "type", "subtype", "delays", "test", "data"}),
    template_options=frozenset({"email"}),
    secret_options=frozenset({"api_key"}),
    max_age_s=DAY_S,
)


def page_url(destination: Destination, action: str) -> str:
    """Return the address of ``add`` or ``cancel``; the key stands in it, so it is never logged."""
    options: Comunik8Options = destination.options
    return f"{destination.url.rstrip('/')}/lead/{action}?key={quote(options.api_key, safe='')}"


def fill_lead(call: Call, destination: Destination) -> Filled:
    """Make the texts of one lead (contract, section 7)."""
    options: Comunik8Options = destination.options
    by_code = {
        "mobile": phone_for(call, phone_format=destination.phone_format, region=destination.region),
        "email": options.email.render(call.text),
        "type": options.type,
        "subtype": options.subtype or "",
        "delays": "" if options.delay is None else f"{options.delay:.0f}",
        "test": "true" if options.test else "",
        "data": orjson.dumps(call.canonical()).decode(),
    }
    return fill(destination.fields, call, by_code=by_code, limits={})


def lead_body(values: Mapping[str, str]) -> dict[str, str | int]:
    """Return the JSON values of a lead: ``delays`` is a number, all others are texts."""
    body: dict[str, str | int] = dict(values)
    delays = values.get("delays", "")
    if delays.isascii() and delays.isdigit():
        body["delays"] = int(delays)
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Comunik8Reply:
    """What Comunik8 says to an add or a cancel."""

    saved: bool | None
    processed: bool | None
    cancelled: bool | None
    tested: bool
    words: str
    """The ``error`` of an add or the ``warning`` of a cancel."""
    field_errors: str
    """The failing validations of a 400, such as ``email: Email cannot be blank.``; lists or objects on the wire."""


_UNQUOTED = ("server error (call group)", "server error (save)")
"""The document shows the first without quotation marks: then the reply is no JSON."""


def parse_reply(reply: Reply) -> Comunik8Reply:
    """Read Comunik8's words; nothing where there are none."""
    document = dict(reply.document or {})
    words = " ".join(texts_in([document.pop("error", None), document.pop("warning", None)]))
    if reply.document is None:
        words = next((unquoted for unquoted in _UNQUOTED if unquoted in reply.text.casefold()), "")
    return Comunik8Reply(
        saved=flag_of(document.get("saved")),
        processed=flag_of(document.get("processed")),
        cancelled=flag_of(document.get("cancelled")),
        tested=normal(str(document.get("test", ""))) == "ok",
        words=words,
        field_errors="; ".join(
            f"{name}: {' '.join(texts)}"
            for name, errors in document.items()
            if isinstance(errors, list | dict) and (texts := texts_in(errors))
        ),
    )
