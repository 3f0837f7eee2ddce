"""The audit of a day: compares Delacon's list with the ledger, call by call, and imports missing calls."""

import time
from datetime import date, datetime, timedelta

import structlog

from schemas.delacon.events import Event
from schemas.delivery import State
from tasks.delacon_audit.report import NoReport, fetch
from tasks.import_events import Fate, Importer
from worker.config.delacon import DelaconSettings
from worker.config.settings import Settings
from worker.ledger.delacon_days import AuditedDay, Figures, audited_days, keep
from worker.ledger.ledger import Ledger
from worker.ledger.queries import look_up
from worker.ledger.records import StoredCall

log = structlog.get_logger(__name__)

PAGE = 200  # calls a round trip
MORNING_HOUR = 6  # in the report's zone: Delacon has closed the day by then
AGAIN_S = 3600.0  # a day that lacks something is looked at again so often
LOOKED_BACK = timedelta(days=7)
_DONE = frozenset({State.DELIVERED, State.SKIPPED, State.CANCELLED})


def today_of(delacon: DelaconSettings, now: datetime) -> date:
    """Return the present day in the report's zone."""
    return now.astimezone(delacon.timezone).date()


async def audit_day(
    settings: Settings, delacon: DelaconSettings, *, ledger: Ledger, day: date, now: datetime, fix: bool = False
) -> tuple[AuditedDay, int]:
    """Audit one day, and keep what was found; returns it with how many calls were taken in.

    Raises ``redis.RedisError``; what is wrong with the report is in what is returned.
    """
    at_ms = await ledger.now_ms()
    taken = 0
    try:
        events = await fetch(delacon, day, today=today_of(delacon, now))
    except NoReport as error:
        found = AuditedDay(day=day, at_ms=at_ms, fault=str(error))
        log.warning("delacon.not_audited", day=day.isoformat(), fault=str(error))
    else:
        services, missing = await _compare(ledger, events)
        if fix and missing:
            taken = await _take(ledger, missing, settings.calls.default_region)
            services, _ = await _compare(ledger, events)
        found = AuditedDay(day=day, at_ms=at_ms, services=services)
        total = found.total
        log.info(
            "delacon.audited", day=day.isoformat(), there=total.there, here=total.here, missing=total.missing,
            delivered=total.delivered,
        )  # fmt: skip
    await keep(ledger, found)
    return found, taken


async def _compare(ledger: Ledger, events: list[Event]) -> tuple[dict[str, Figures], list[Event]]:
    """Return the figures by service, and the events of calls that are not here."""
    services: dict[str, Figures] = {}
    missing: list[Event] = []
    for place in range(0, len(events), PAGE):
        page = events[place : place + PAGE]
        known = await look_up(ledger, [event.call_id for event in page])
        for event in page:
            call = known.calls.get(event.call_id)
            here = call is not None or event.call_id in known.remembered
            if not here:
                missing.append(event)
            done = here and (call is None or _is_delivered(call))
            figures = Figures(there=1, here=int(here), missing=int(not here), delivered=int(done))
            service = event.values.get("PLA_CID", "")
            services[service] = services.get(service, Figures()) + figures
    return services, missing


def _is_delivered(call: StoredCall) -> bool:
    """Return whether a call is where it should be: it has a route, and each of its deliveries ended well."""
    return call.state == "ready" and all(one.state in _DONE for one in call.deliveries.values())


async def _take(ledger: Ledger, events: list[Event], region: str) -> int:
    importer = Importer(ledger, default_region=region, now_us=lambda: time.time_ns() // 1000)
    taken = 0
    for place in range(0, len(events), PAGE):
        fates = await importer.take(events[place : place + PAGE])
        taken += fates.count(Fate.NEW)
    return taken


async def audit_due(settings: Settings, *, ledger: Ledger, now: datetime) -> None:
    """Audit yesterday from this morning on, and again the days of the last week that are not complete."""
    delacon = settings.delacon
    if delacon is None:
        return
    local = now.astimezone(delacon.timezone)
    known = {one.day: one for one in await audited_days(ledger)}
    yesterday = local.date() - timedelta(days=1)
    due = [yesterday] if local.hour >= MORNING_HOUR and yesterday not in known else []
    now_ms = await ledger.now_ms()
    for day, found in known.items():
        lacking = bool(found.fault) or not found.total.complete
        if lacking and day > yesterday - LOOKED_BACK and now_ms - found.at_ms >= AGAIN_S * 1000:
            due.append(day)
    for day in due:
        await audit_day(settings, delacon, ledger=ledger, day=day, now=now)
