"""The tables of the configuration file that know no vendor (contract, section 4)."""

from collections.abc import Iterable
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import Schema, ValidationError, missing

from schemas.delacon.import_row import DELACONS_DATE
from schemas.options import Option, duration_s, flag, one_of, secret, text, zone
from worker.config import values
from worker.config.faults import Faults, Path

DEFAULT_RETRY_S = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 28800.0)
"""5s, 30s, 2m, 10m, 30m, 1h, 2h, 4h, 8h, 8h: a day and a bit."""

HOUR, DAY = 3600.0, 86400.0

MOST_BODY = 16 * 1024 * 1024
"""Bytes: more than any webhook has, and little enough for a receiver's memory."""


MOST_CONNECTIONS = 50_000
"""Each costs some 20 KB, and the receiver asks for 65,536 open files at most."""


class ReceiverTable(Schema):
    """``[receiver]``."""

    tokens: Option[tuple[str, ...]] = Option(values.list_of(values.token, empty=True), default=())
    ops_tokens: Option[tuple[str, ...]] = Option(values.list_of(values.token, empty=True), default=())
    allow_networks: Option[tuple[values.Network, ...]] = Option(values.list_of(values.network, empty=True), default=())
    trusted_proxies = Option(values.whole(0), default=0)
    proxy_networks: Option[tuple[values.Network, ...]] = Option(values.list_of(values.network, empty=True), default=())
    max_connections = Option(values.whole(1, MOST_CONNECTIONS), default=2000)
    max_body = Option(values.whole(1, MOST_BODY), default=65536)


class SenderTable(Schema):
    """One of ``[[receiver.senders]]``."""

    name = Option(text, required=True)
    tokens = Option(values.list_of(values.token), required=True)
    service_ids = Option(values.list_of(values.service_id), required=True)
    rate = Option(values.rate_per_s, default=500.0)


class CallsTable(Schema):
    """``[calls]``."""

    end_wait = Option(duration_s, default=4 * HOUR)
    start_wait = Option(duration_s, default=120.0)
    retention = Option(values.positive_s, default=30 * DAY)
    dead_retention = Option(values.positive_s, default=90 * DAY)
    remember = Option(values.positive_s, default=400 * DAY)
    default_region = Option(values.region, default="AU")


class DestinationTable(Schema):
    """The keys that every ``[destinations.NAME]`` may have; ``url`` and ``fields`` are read beside it."""

    vendor = Option(text, required=True)
    phone_format = Option(one_of("national", "e164", "digits"), default="national")
    region: Option[str | None] = Option(values.region)
    timeout = Option(values.timeout_s, default=20.0)
    concurrency = Option(values.whole(1), default=50)
    rate: Option[float | None] = Option(values.rate_per_s)
    max_age = Option(values.positive_s_or_off)
    allow_http = Option(flag, default=False)
    retry: Option[tuple[float, ...]] = Option(values.list_of(duration_s, empty=True), default=DEFAULT_RETRY_S)


class RouteTable(Schema):
    """One of ``[[routes]]``; ``block_callers`` become numbers beside it."""

    to = Option(values.list_of(text), required=True)
    service_ids: Option[tuple[str, ...] | None] = Option(values.list_of(text))
    service_categories: Option[tuple[str, ...] | None] = Option(values.list_of(text))
    results: Option[tuple[str, ...] | None] = Option(values.list_of(values.result))
    min_duration: Option[float | None] = Option(duration_s)
    first_call: Option[bool | None] = Option(flag)
    block_callers: Option[tuple[str, ...]] = Option(values.list_of(text), default=())


class DeadLettersTable(Schema):
    """``[dead_letters]``."""

    publish = Option(flag, default=True)


class ImportTable(Schema):
    """``[import]``; ``columns`` is read beside it."""

    timezone: Option[ZoneInfo | None] = Option(zone)
    date_formats: Option[tuple[str, ...]] = Option(values.list_of(values.date_format), default=(DELACONS_DATE,))


class CallcapTable(Schema):
    """``[callcap]``; ``url`` is read beside it."""

    api_key = Option(secret, required=True)
    encoding = Option(one_of("form", "json"), default="form")
    allow_http = Option(flag, default=False)


@cache
def schema_of(kind: type[Schema]) -> Schema:
    """Return the one schema of a kind: to make one takes as long as to read a table with it."""
    return kind()


def read_table(
    kind: type[Schema], table: object, path: Path, faults: Faults, *, beside: Iterable[str] = ()
) -> dict[str, Any]:
    """Load a table's own keys, and note every fault; ``beside`` are keys that are read elsewhere.

    A faulty key is as if it were not there, so that the rest can still be looked at: it has its default, if any.
    """
    if not isinstance(table, dict):
        faults.add(path, "must be a table")
        table = {}
    schema = schema_of(kind)
    known = {*schema.fields, *beside}
    for key in table.keys() - known:
        faults.add_unknown((*path, key), known)
    try:
        loaded = schema.load({key: value for key, value in table.items() if key in schema.fields})
    except ValidationError as error:
        faults.add_messages(path, error.messages)
        loaded = error.valid_data
    defaults = {name: field.load_default for name, field in schema.fields.items() if field.load_default is not missing}
    return {**defaults, **loaded}
