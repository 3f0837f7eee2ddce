"""Takes one claimed delivery through its attempt, writes its end and tells the log and the metrics."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random
from time import monotonic
from typing import Protocol

import structlog
from redis import RedisError

from schemas.delivery import Order
from schemas.destination import Destination
from tasks.delivery.attempt import Wire, attempt
from tasks.delivery.finish_writer import FinishWriter
from tasks.delivery.transitions import (
    given_up,
    interrupted,
    killed_too_often,
    noting_interruption,
    order_of,
    sent_before,
    settle,
    skip_reason,
    unexpected,
)
from tasks.vendors.protocol import Http, Vendor
from worker.errors import UnreadableError
from worker.ledger.history import Attempt
from worker.ledger.ledger import Ledger
from worker.ledger.records import Claimed, Finish, Verdict

log = structlog.get_logger(__name__)


class Observer(Protocol):
    """Is told what became of each attempt."""

    def attempted(self, destination: Destination, end: Finish, made: Attempt, *, call_to_crm_s: float | None) -> None:
        """Count an attempt whose end was written."""
        ...

    def dead(self, destination: Destination, end: Finish) -> None:
        """Publish a dead letter."""
        ...


class Runner:
    """Delivers to one destination; ``now`` gives aware UTC, ``rng`` the jitter."""

    def __init__(  # noqa: PLR0913  collaborators, by keyword
        self,
        destination: Destination,
        *,
        vendor: Vendor,
        ledger: Ledger,
        http: Http,
        finish_writer: FinishWriter,
        observer: Observer,
        now: Callable[[], datetime],
        rng: Random,
        default_region: str,
        lease_ms: int,
    ) -> None:
        self._destination = destination
        self._vendor = vendor
        self._ledger = ledger
        self._http = http
        self._finish_writer = finish_writer
        self._observer = observer
        self._now = now
        self._rng = rng
        self._default_region = default_region
        self._lease_ms = lease_ms
        # Bound once: logging is configured by now, and binding anew takes as long as writing the line.
        self._log = log.bind(destination=destination.name, vendor=destination.vendor)

    async def deliver(self, claimed: Claimed) -> None:
        """Make the attempt and write its end; a fault of our own is an attempt too, and never leaves here."""
        began = monotonic()
        started = self._now()
        at_ms = int(started.timestamp() * 1000)
        if killed_too_often(claimed, self._destination.retry_s):
            await self._write(*given_up(claimed, at_ms=at_ms), claimed=claimed)
            return
        claimed = noting_interruption(claimed, at_ms=at_ms)
        wire = Wire(self._http, self._destination.timeout_s)
        try:
            order = order_of(claimed, destination=self._destination, default_region=self._default_region)
            tried = await attempt(
                order, vendor=self._vendor, wire=wire, now=started, skip=await self._skip(order, claimed),
                sent_before=sent_before(claimed),
            )  # fmt: skip
            elapsed_ms = round((monotonic() - began) * 1000)
            end, made = settle(tried, order=order, claimed=claimed, at_ms=at_ms, elapsed_ms=elapsed_ms, rng=self._rng)
        except asyncio.CancelledError:
            delay_ms = 0 if self._vendor.resend_is_safe(self._destination) else self._lease_ms
            end = interrupted(claimed, at_ms=at_ms, delay_ms=delay_ms, sent=wire.request is not None)
            await self._finish_writer.write(end)
            return
        except UnreadableError as error:  # an event of a later version: nothing was sent
            await self._ledger.set_aside(claimed.key, fence=claimed.fence, why=str(error))
            return
        except RedisError as error:
            # What is not known of the call cannot be sent: it goes back as if it had not been claimed.
            log.warning("ledger.unavailable", delivery_id=str(claimed.key), error=type(error).__name__)
            await self._finish_writer.write(interrupted(claimed, at_ms=at_ms, delay_ms=0, sent=False))
            return
        except Exception as error:
            log.exception("delivery.attempt_failed", delivery_id=str(claimed.key), error=type(error).__name__)
            end, made = unexpected(
                claimed, destination=self._destination, at_ms=at_ms, error=error, sent=wire.request is not None,
                rng=self._rng,
            )  # fmt: skip
        await self._write(end, made, claimed=claimed)

    async def _skip(self, order: Order, claimed: Claimed) -> str:
        if reason := skip_reason(claimed):
            return reason
        caller = order.call.caller
        # Without the question where nothing is suppressed: it took a tenth of the instructions of a lead.
        if not (claimed.suppressing and self._vendor.suppressible) or caller is None or order.key.action == "cancel":
            return ""
        numbers = [number for number in (caller, order.call.old_caller) if number is not None]
        held = [await self._ledger.is_suppressed(number) for number in numbers]
        return "suppressed" if any(held) else ""

    async def _write(self, end: Finish, made: Attempt, *, claimed: Claimed) -> None:
        finished = await self._finish_writer.write(end)
        key = str(end.key)
        if not finished.applied:
            self._log.warning("delivery.late_finish_ignored", delivery_id=key, attempt=made.number)
            return
        self._log.info(
            "delivery.attempted", delivery_id=key, call_id=end.key.call_id, attempt=made.number,
            outcome=made.outcome, reason=made.reason, status=made.status, elapsed_ms=made.elapsed_ms,
            retry_in_s=end.delay_ms / 1000 if end.delay_ms else None,
        )  # fmt: skip
        call_to_crm_s = None
        if made.outcome == "delivered" and claimed.ready_at_ms:
            call_to_crm_s = max(0.0, (made.at_ms + made.elapsed_ms - claimed.ready_at_ms) / 1000)
        self._observer.attempted(self._destination, end, made, call_to_crm_s=call_to_crm_s)
        if finished.verdict is Verdict.DEAD:
            self._log.error("delivery.dead_lettered", delivery_id=key, reason=end.reason)
            self._observer.dead(self._destination, end)
        if finished.gate_event:
            self._log.warning("destination.changed", change=finished.gate_event, reason=end.reason)
