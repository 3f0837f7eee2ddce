"""The alerts' chore: look for causes, note them, and send the messages."""

from collections.abc import Sequence
from random import Random

from schemas.blanking import blank
from tasks.alerts.causes import AuditDay, Seen, noted
from tasks.alerts.sending import Sender
from worker.config.alerts import AlertRule, AlertTarget
from worker.config.settings import Settings
from worker.http.client import HttpClient
from worker.ledger import alerts
from worker.ledger.delacon_days import audited_days
from worker.ledger.ledger import Ledger
from worker.ledger.overview import Overview
from worker.ledger.queries import last_words
from worker.ledger.reports import reports
from worker.ledger.schema import changed_in_words, read_schema
from worker.redaction import mask_text

LONGEST_WORDS = 300


def targets_of(rules: Sequence[AlertRule]) -> dict[str, AlertTarget]:
    """Return every target once, by its short name."""
    return {target.name: target for rule in rules for target in rule.to}


async def watch(settings: Settings, *, ledger: Ledger, http: HttpClient, rng: Random) -> None:
    """Look once, and send the messages that are due; raises ``redis.RedisError``."""
    seen = await look(ledger, settings)
    await alerts.note(ledger, [one for rule in settings.alerts for one in noted(rule, seen)])
    await Sender(ledger=ledger, http=http, targets=targets_of(settings.alerts), rng=rng).send_due()


async def look(ledger: Ledger, settings: Settings) -> Seen:
    """Look at the ledger."""
    overview = await ledger.overview(settings.destinations)
    wanted = {cause for rule in settings.alerts for cause in rule.when}
    words = await _words(ledger, overview, settings) if wanted & {"dead_letter", "blocked", "circuit_open"} else {}
    days = await _days(ledger) if "audit" in wanted else ()
    changed = (await read_schema(ledger.redis)).changed if "drift" in wanted else None
    return Seen(
        now_ms=overview.now_ms, overview=overview, reports=await reports(ledger), words=words, audits=days,
        changed=changed_in_words(changed) if changed else "",
    )  # fmt: skip


async def _days(ledger: Ledger) -> Sequence[AuditDay]:
    return [
        AuditDay(
            day=one.day.isoformat(), there=one.total.there, missing=one.total.missing,
            undelivered=one.total.here - one.total.delivered, fault=one.fault,
        )
        for one in await audited_days(ledger)
    ]  # fmt: skip


async def _words(ledger: Ledger, overview: Overview, settings: Settings) -> dict[str, dict[str, str]]:
    """Return what the destinations that are in trouble last said, without numbers and keys."""
    troubled = [d.name for d in overview.destinations if d.dead or not d.served][:20]
    found = {}
    for name in troubled:
        last = await last_words(ledger, name)
        if last is not None:
            reason, text, delivery = last
            shown = mask_text(blank(text, sorted(settings.secrets)))[:LONGEST_WORDS]
            found[name] = {"reason": reason, "words": shown, "delivery": delivery}
    return found
