"""The causes of alerts: what is wrong at this moment, cause by cause (contract, section 11); pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.config.alerts import CAUSES, AlertRule
from worker.ledger.alerts import Noted
from worker.ledger.overview import DestinationStatus, Overview
from worker.ledger.reports import Report, Reports
from worker.ledger.sign_ins import SignIn, differing

LINGER_S = 20.0
"""How long something that has passed, such as a spool that was drained, can still be seen: some looks."""
LONGEST_CLEAR_S = 60.0
"""After so long without it a cause has ended, however long it must hold to begin."""
REPORTED_S = 60.0  # a receiver that has said nothing for so long is gone, or cut off
MOST_SHOWN = 10  # destinations in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditDay:
    """One day of the audit against Delacon's own list, as far as alerts care."""

    day: str
    there: int
    missing: int
    undelivered: int
    fault: str = ""
    """Why the day could not be audited."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look at the ledger found."""

    now_ms: int
    overview: Overview
    reports: Reports
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By destination: ``reason``, ``words`` and ``delivery`` of what it last refused."""
    audits: Sequence[AuditDay] = ()
    changed: str = ""
    """What happened to the ledger itself, in a sentence; empty: nothing, or somebody has dealt with it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Whether a cause holds, and the facts of its message."""

    on: bool
    facts: Mapping[str, Any]
    since_ms: int | None = None
    held: bool = False
    """Whether it has held as long as the rule asks for."""


def noted(rule: AlertRule, seen: Seen) -> list[Noted]:
    """Return what holds of each cause of a rule."""
    now = moment(seen.now_ms)
    notes = []
    for cause in rule.when:
        found = _JUDGES[cause](rule, seen)
        hold_ms = 0 if found.held else round(rule.for_s * 1000)
        notes.append(
            Noted(
                alert=rule.id_of(cause), on=found.on, since_ms=found.since_ms, hold_ms=hold_ms,
                clear_ms=round(min(rule.for_s, LONGEST_CLEAR_S) * 1000), may=rule.in_hours(now),
                targets=[target.name for target in rule.to], facts={"cause": cause, **found.facts},
            )
        )  # fmt: skip
    return notes


def by_cause(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return each cause's function of a module: that of ``dead_letter`` is named ``_dead_letter``."""
    return {cause: names[f"_{cause}"] for cause in CAUSES}


def moment(ms: int) -> datetime:
    """Return epoch milliseconds as a moment."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def _of(rule: AlertRule, seen: Seen) -> list[DestinationStatus]:
    return [d for d in seen.overview.destinations if not rule.destinations or d.name in rule.destinations]


def _per_destination(
    seen: Seen, found: Iterable[DestinationStatus], values: Callable[[DestinationStatus], Mapping[str, Any]]
) -> list[dict[str, Any]]:
    shown = sorted(found, key=lambda d: (-d.dead - d.due, d.name))[:MOST_SHOWN]
    return [{"destination": d.name, **values(d), **seen.words.get(d.name, {})} for d in shown]


def _dead_letter(rule: AlertRule, seen: Seen) -> _Found:
    found = [d for d in _of(rule, seen) if d.dead]
    no_start = 0 if rule.destinations else seen.overview.no_start
    count = sum(d.dead for d in found) + no_start
    facts: dict[str, Any] = {"count": count, "destinations": _per_destination(seen, found, lambda d: {"count": d.dead})}
    if no_start:
        facts["no_start"] = no_start
    return _Found(count > 0, facts)


def _blocked(rule: AlertRule, seen: Seen) -> _Found:
    found = [d for d in _of(rule, seen) if d.blocked]
    since = [int(d.gate["blocked_at"]) for d in found if "blocked_at" in d.gate]
    listed = _per_destination(seen, found, lambda d: {"held": d.queued})
    reasons = {d.name: d.blocked for d in found}
    listed = [{**one, "reason": reasons[one["destination"]]} for one in listed]
    return _Found(bool(found), {"count": len(found), "destinations": listed}, min(since, default=None))


def _circuit_open(rule: AlertRule, seen: Seen) -> _Found:
    found = [d for d in _of(rule, seen) if d.open and not d.blocked]
    since = [int(d.gate["open"]) for d in found]
    listed = _per_destination(seen, found, lambda d: {"held": d.queued})
    return _Found(bool(found), {"count": len(found), "destinations": listed}, min(since, default=None))


def _overdue(rule: AlertRule, seen: Seen) -> _Found:
    """Judge deliveries that are due and that nobody takes; held ones do not count."""
    found = [d for d in _of(rule, seen) if d.served and d.due and d.overdue_s >= rule.for_s]
    listed = _per_destination(seen, found, lambda d: {"count": d.due, "oldest_seconds": round(d.overdue_s)})
    facts: dict[str, Any] = {"count": sum(d.due for d in found), "destinations": listed}
    late = seen.overview.waits_overdue_s
    if not rule.destinations and late and late >= rule.for_s:
        facts["calls_oldest_seconds"] = round(late)
    return _Found(bool(found) or "calls_oldest_seconds" in facts, facts, held=True)


def _unrouted(_rule: AlertRule, seen: Seen) -> _Found:
    return _Found(seen.overview.unrouted > 0, {"count": seen.overview.unrouted})


def _quarantined(_rule: AlertRule, seen: Seen) -> _Found:
    return _Found(seen.overview.quarantined > 0, {"count": seen.overview.quarantined})


def _spooled(rule: AlertRule, seen: Seen) -> _Found:
    """Judge the receivers' disks: spools, also those drained by now, and journals that are not written.

    While a spool fills, no receiver can report it.
    """
    spools: dict[str, Report] = {}
    for report in sorted(seen.reports.processes, key=lambda one: one.at_ms):
        if report.spool:
            spools[report.spool] = report
    waiting = [one for one in spools.values() if one.spooled]
    passed = [
        one
        for one in spools.values()
        if not one.spooled
        and seen.now_ms - one.spooled_until_ms <= LINGER_S * 1000
        and one.spooled_until_ms - one.spooled_since_ms >= rule.for_s * 1000
    ]
    since = [one.spooled_since_ms for one in (*waiting, *passed) if one.spooled_since_ms]
    facts: dict[str, Any] = {
        "count": sum(one.spooled for one in waiting), "receivers": sorted(one.name for one in (*waiting, *passed)),
    }  # fmt: skip
    stopped = [{"receiver": one.name, "why": one.journal} for one in _present(seen) if one.journal]
    if stopped:
        facts["journals_stopped"] = stopped[:MOST_SHOWN]
    return _Found(bool(waiting or passed or stopped), facts, min(since, default=None), held=bool(passed))


def _present(seen: Seen) -> list[Report]:
    return [one for one in seen.reports.processes if seen.now_ms - one.at_ms <= REPORTED_S * 1000]


def _refused(rule: AlertRule, seen: Seen) -> _Found:
    """Judge the refusals: one at least in the time that the rule asks for."""
    last = max((one.refused_ms for one in seen.reports.processes), default=0)
    total: dict[str, int] = {}
    for one in seen.reports.processes:
        for reason, count in one.refused.items():
            total[reason] = total.get(reason, 0) + count
    on = last > 0 and seen.now_ms - last <= (rule.for_s + LINGER_S) * 1000
    return _Found(on, {"count": sum(total.values()), "reasons": total, "last": moment(last).isoformat()} if on else {})


def _drift(_rule: AlertRule, seen: Seen) -> _Found:
    """Judge what is not what it was taken for: the processes' configurations, and the ledger itself."""
    receivers = [SignIn(name=one.name, config=one.config) for one in _present(seen)]
    found = differing([*seen.overview.sign_ins, *receivers])
    facts: dict[str, Any] = {"count": len(found), "configurations": {k: sorted(v) for k, v in found.items()}}
    if seen.changed:
        facts["ledger"] = seen.changed
    return _Found(bool(found or seen.changed), facts, held=bool(seen.changed))


def _silence(rule: AlertRule, seen: Seen) -> _Found:
    heard = moment(seen.reports.heard_ms)
    silent_s = rule.elapsed_s(heard, moment(seen.now_ms))
    facts = {"silent_seconds": round(silent_s), "last_webhook": heard.isoformat()}
    return _Found(silent_s >= rule.for_s, facts, seen.reports.heard_ms, held=True)


def _audit(_rule: AlertRule, seen: Seen) -> _Found:
    """Judge the days of the last week that were audited, or could not be."""
    newest = max((day.day for day in seen.audits), default="")
    oldest = (datetime.fromisoformat(newest) - timedelta(days=6)).date().isoformat() if newest else ""
    found = [
        day for day in seen.audits if day.day >= oldest and (day.missing or day.undelivered or day.fault)
    ]  # fmt: skip
    days = [
        {"day": d.day, "there": d.there, "missing": d.missing, "undelivered": d.undelivered, "fault": d.fault}
        for d in found
    ]
    return _Found(bool(found), {"count": sum(d.missing for d in found), "days": days}, held=True)


_JUDGES: Mapping[str, Callable[[AlertRule, Seen], _Found]] = by_cause(globals())
