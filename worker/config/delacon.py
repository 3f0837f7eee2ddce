"""``[delacon]``: where Delacon's own list of calls is, for the daily audit (contract, section 11)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import Schema

from schemas.options import Option, flag, secret, zone
from schemas.zones import zones
from worker.config import values
from worker.config.faults import Faults
from worker.config.tables import read_table

REPORT_URL = "https://pla.delaconcorp.com/site/report/report.jsp"
_PLACE = ("delacon",)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelaconSettings:
    """``[delacon]``."""

    report_url: str
    auth: str = field(repr=False)
    service_ids: tuple[str, ...]
    timezone: ZoneInfo
    """Of the report's dates."""


class DelaconTable(Schema):
    """``[delacon]``; ``report_url`` is checked beside it."""

    report_url = Option(secret, default=REPORT_URL)
    auth = Option(secret, required=True)
    service_ids = Option(values.list_of(values.service_id), required=True)
    timezone: Option[ZoneInfo | None] = Option(zone)
    allow_http = Option(flag, default=False)


def read_delacon(document: Mapping[str, Any], faults: Faults) -> DelaconSettings | None:
    """Read ``[delacon]``; ``None`` where there is none."""
    if "delacon" not in document:
        return None
    read = read_table(DelaconTable, document["delacon"], _PLACE, faults)
    address = read["report_url"]
    try:
        values.url(address, allow_http=read["allow_http"])
    except (TypeError, ValueError) as error:
        faults.add((*_PLACE, "report_url"), str(error))
    return DelaconSettings(
        report_url=address, auth=read.get("auth", ""), service_ids=read.get("service_ids", ()),
        timezone=read["timezone"] or zones().zone("Australia/Sydney"),
    )  # fmt: skip
