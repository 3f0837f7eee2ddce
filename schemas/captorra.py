"""Captorra's call tracking: one post a call, all values strings (the document "Captorra Call Tracking")."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import post_load

from schemas.call import Call
from schemas.destination import Destination, VendorSpec
from schemas.fields import phone_for
from schemas.mapping import Filled, fill
from schemas.options import Option, OptionsSchema, guid, text, written_as, zone
from schemas.reply import Reply, flag_of, texts_in

LIMITS: Mapping[str, int] = (
    {"Name": 100, "ANI": 20, "ID": 100, "Multi01": 100}
    | {f"String{number:02}": 500 for number in range(1, 6)}
    | {f"String{number:02}": 300 for number in range(6, 11)}
    | {f"String{number:02}": 100 for number in range(11, 21)}
)
"""Characters a field may hold (the document's "Data Parameters")."""

_IDENTIFICATION = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptorraOptions:
    """Captorra's own keys of a destination."""

    captorra_id: str
    referrer: str | None
    timezone: ZoneInfo
    id_key: str


@written_as(type=["string", "integer"])
def _captorra_id(value: object) -> str:
    """Read the organisation's number, written as a number or a text."""
    number = str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)
    if not _IDENTIFICATION.fullmatch(number):
        raise ValueError("must be a number of at most 6 digits")
    return number


class CaptorraOptionsSchema(OptionsSchema):
    """Reads Captorra's own keys (contract, section 4)."""

    captorra_id = Option(_captorra_id, required=True)
    referrer = Option(guid)
    timezone = Option(zone, required=True)
    id_key = Option(text, default="CaptorraId")

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> CaptorraOptions:
        return CaptorraOptions(**data)


SPEC = VendorSpec(
    name="captorra",
    posts_to_url=True,
    options=CaptorraOptionsSchema,
    default_fields={
        "ID": "{call_id}",
        "String01": "{landing_page}",
        "String02": "{referrer}",
        "String03": "{page_called_from}",
        "String04": "{recording_url}",
        "String05": "{extra_tracking}",
        "String06": "{keywords}",
        "String07": "{gclid}",
        "String08": "{session_id}",
        "String09": "{ga_client_id}",
        "String10": "{survey_outcome}",
        "String11": "{search_engine}",
        "String12": "{search_type}",
        "String13": "{result}",
        "String14": "{duration}",
        "String15": "{answering_point}",
        "String16": "{tracking_number}",
        "String17": "{service_category}",
        "String18": "{city}",
        "String19": "{state}",
        "String20": "{converted}",
        "Multi01": "{ivr_option}",
    },
    required_fields=frozenset({"Name", "ANI", "Date", "ID"}),
    fixed_fields=frozenset({"Name", "ANI", "Date", "Referrer"}),
)


def fill_body(call: Call, destination: Destination) -> Filled:
    """Make the texts of one post (contract, section 7)."""
    options: CaptorraOptions = destination.options
    by_code = {
        options.id_key: options.captorra_id,
        "Referrer": options.referrer or "",
        "Name": call.service_name or call.service_id or "",
        "ANI": phone_for(call, phone_format=destination.phone_format, region=destination.region),
        "Date": us_date(call.started_at, options.timezone),
    }
    return fill(destination.fields, call, by_code=by_code, limits=LIMITS)


def us_date(moment: datetime, timezone: ZoneInfo) -> str:
    """Write a moment as ``05/02/2019 10:12 AM`` in the firm's zone: month first, hour without leading zero.

    Written by hand because ``%p`` follows the locale, ``%-I`` is not known everywhere, and ``strftime`` is slow.
    """
    local = moment.astimezone(timezone)
    half = "AM" if local.hour < 12 else "PM"  # noqa: PLR2004  noon
    return f"{local.month:02}/{local.day:02}/{local.year:04} {local.hour % 12 or 12}:{local.minute:02} {half}"


@dataclass(frozen=True, slots=True)
class CaptorraReply:
    """What Captorra says: ``{"success": true}``, or ``false`` with an ``error``."""

    success: bool | None
    error: str


def parse_reply(reply: Reply) -> CaptorraReply:
    """Read Captorra's words; nothing where there are none."""
    document = reply.document or {}
    return CaptorraReply(flag_of(document.get("success")), " ".join(texts_in(document.get("error"))))
