"""The audit of a day against the stand-in's report: what is missing is counted, imported once, and looked at again."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from deploy.local.standins.app import StandIns
from tasks.delacon_audit.audit import audit_day, audit_due
from tests.ledgers import Driver
from worker.config.delacon import DelaconSettings
from worker.ledger.delacon_days import KEPT_DAYS, AuditedDay, Figures, audited_days, keep

SYDNEY = ZoneInfo("Australia/Sydney")
DAY = date(2026, 11, 28)
MORNING = datetime(2026, 11, 29, 6, 30, tzinfo=SYDNEY)


def settings_of(standins: StandIns, **changes: Any) -> Any:
    """Return what the audit reads of the configuration, with changes of ``[delacon]``."""
    delacon = DelaconSettings(
        report_url=f"{standins.url}/delacon/report.jsp", auth="standin-delacon-key", service_ids=("101", "102"),
        timezone=SYDNEY,
    )  # fmt: skip
    return SimpleNamespace(calls=SimpleNamespace(default_region="AU"), delacon=replace(delacon, **changes))


async def lay(standins: StandIns, *row_ids: str, day: date = DAY, **more: str) -> None:
    """Put calls of a day into Delacon's report."""
    rows = [
        {
            "rowid": row_id, "cid": "101", "datetime": f"{day:%d/%m/%Y} 10:00:00", "dialfrom": "0491570156",
            "result": "Answered", "timesec": "50",
        }
        | more
        for row_id in row_ids
    ]  # fmt: skip
    async with aiohttp.ClientSession() as session, session.post(f"{standins.url}/delacon/rows", json=rows) as reply:
        assert 200 == reply.status


async def audit(driver: Driver, settings: Any, *, day: date = DAY, fix: bool = False) -> tuple[AuditedDay, int]:
    """Audit a day on the next morning."""
    return await audit_day(settings, settings.delacon, ledger=driver.ledger, day=day, now=MORNING, fix=fix)


async def test_missing_calls_are_counted_and_imported_once(standins: StandIns, driver: Driver):
    """A call that the report lists twice is one; a second fix finds nothing to do."""
    settings = settings_of(standins)
    await lay(standins, "1", "2", "3", "3")
    await driver.accept("1", 'c{"PLA_CID":"101"}')

    before, _ = await audit(driver, settings)
    fixed, taken = await audit(driver, settings, fix=True)
    again, none = await audit(driver, settings, fix=True)

    assert Figures(there=3, here=1, missing=2, delivered=0) == before.total
    assert (2, Figures(there=3, here=3, missing=0, delivered=0)) == (taken, fixed.total)
    assert (0, fixed.total) == (none, again.total)
    assert not again.total.complete
    assert {"101": again.total} == dict(again.services)


async def test_a_call_counts_as_delivered_when_all_of_its_deliveries_ended_well(standins: StandIns, driver: Driver):
    """One that is under way does not count, nor one whose delivery is dead."""
    await lay(standins, "1", "2")
    await driver.make("1", "2")
    [first, _] = await driver.take()
    await driver.end(first, "delivered")

    found, _ = await audit(driver, settings_of(standins))

    assert Figures(there=2, here=2, missing=0, delivered=1) == found.total


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"auth": "an-old-key"}, "password"),
        ({"report_url": "http://127.0.0.1:9/report.jsp"}, "could not be asked"),
        ({"report_url": "{url}/delacon/nothing"}, "status 404"),
    ],
)
async def test_a_report_that_is_none_is_a_fault_and_no_empty_day(standins: StandIns, driver: Driver, changes, fault):
    """The day is kept with its fault, so the alert tells it, and it is audited again."""
    settings = settings_of(standins, **{name: text.format(url=standins.url) for name, text in changes.items()})
    found, _ = await audit(driver, settings)
    [kept] = await audited_days(driver.ledger)

    assert fault in found.fault
    assert kept == found
    assert Figures() == found.total


async def test_yesterday_is_audited_from_the_morning_on(standins: StandIns, driver: Driver):
    """At night Delacon has not closed it; a complete day is audited once."""
    settings = settings_of(standins)
    await audit_due(settings, ledger=driver.ledger, now=MORNING - timedelta(hours=1))
    night = await audited_days(driver.ledger)
    await audit_due(settings, ledger=driver.ledger, now=MORNING)
    [first] = await audited_days(driver.ledger)
    driver.time.pass_s(7200)
    await audit_due(settings, ledger=driver.ledger, now=MORNING + timedelta(hours=2))
    [second] = await audited_days(driver.ledger)

    assert [] == night
    assert (DAY, True) == (first.day, first.total.complete)
    assert first.at_ms == second.at_ms


async def test_a_day_that_lacks_something_is_audited_again_each_hour_for_a_week(standins: StandIns, driver: Driver):
    """Until nothing is missing any more."""
    settings = settings_of(standins)
    await lay(standins, "1")
    await audit_due(settings, ledger=driver.ledger, now=MORNING)
    [first] = await audited_days(driver.ledger)
    driver.time.pass_s(600)
    await audit_due(settings, ledger=driver.ledger, now=MORNING)
    [soon] = await audited_days(driver.ledger)
    driver.time.pass_s(3600)
    await audit_due(settings, ledger=driver.ledger, now=MORNING)
    [later] = await audited_days(driver.ledger)
    await audit_due(settings, ledger=driver.ledger, now=MORNING + timedelta(days=9))
    days = await audited_days(driver.ledger)

    assert first.at_ms == soon.at_ms < later.at_ms
    assert [DAY + timedelta(days=9), DAY] == [one.day for one in days]
    assert later.at_ms == days[1].at_ms


async def test_without_the_table_nothing_is_audited(driver: Driver):
    """``[delacon]`` is optional."""
    await audit_due(SimpleNamespace(delacon=None), ledger=driver.ledger, now=datetime.now(UTC))  # type: ignore[arg-type]

    assert [] == await audited_days(driver.ledger)


async def test_days_are_kept_for_400_days(driver: Driver):
    """A later audit of a day takes the place of the earlier one."""
    old = DAY - timedelta(days=KEPT_DAYS + 1)
    for day, at_ms in ((old, 1), (DAY - timedelta(days=1), 2), (DAY, 3), (DAY, 4)):
        await keep(driver.ledger, AuditedDay(day=day, at_ms=at_ms))

    assert [(DAY, 4), (DAY - timedelta(days=1), 2)] == [
        (one.day, one.at_ms) for one in await audited_days(driver.ledger)
    ]
