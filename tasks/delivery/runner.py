"""Takes one claimed delivery forward: begin, attempt, settle, finish, and tell the observer."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from time import monotonic

import structlog
from redis import RedisError

from schemas.destination import Destination
from tasks.delivery.attempt import Wire, attempt, is_wanted
from tasks.delivery.finish_writer import FinishWriter
from tasks.delivery.observer import Observer
from tasks.delivery.spans import attempt_span
from tasks.delivery.transitions import Ready, begin, interrupted, put_off, settle, unexpected
from tasks.vendors.protocol import Considerate, Http, Vendor
from worker.errors import UnreadableError
from worker.ledger.do_not_call import NO_FRESH_LIST
from worker.ledger.ledger import Ledger
from worker.ledger.records import Claimed
from worker.traces import Traces, ns_of

log = structlog.get_logger(__name__)

LIST_LOOK = timedelta(minutes=10)  # until a lead that waits for a list looks again; loading one makes it due at once


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
        traces: Traces | None = None,
    ) -> None:
        self._destination = destination
        self._vendor = vendor
        self._considerate = vendor if isinstance(vendor, Considerate) else None
        self._ledger = ledger
        self._http = http
        self._finish_writer = finish_writer
        self._observer = observer
        self._now = now
        self._rng = rng
        self._default_region = default_region
        self._lease_ms = lease_ms
        self._traces = traces

    async def deliver(self, claimed: Claimed) -> bool:
        """Make the attempt and write its end; a fault of our own is an attempt too, and never leaves here.

        Returns whether the end made another delivery to the destination due.
        """
        self._finish_writer.attempts += 1
        try:
            return await self._deliver(claimed)
        finally:
            self._finish_writer.attempts -= 1

    async def _deliver(self, claimed: Claimed) -> bool:
        began = monotonic()
        started = self._now()
        at_ms = int(started.timestamp() * 1000)
        # The lease covers one timeout from here, whatever of it Redis takes or the process stands still.
        wire = Wire(self._http, began + self._destination.timeout_s)
        try:
            ready = begin(claimed, destination=self._destination, default_region=self._default_region, at_ms=at_ms)
            if isinstance(ready, Ready):
                claimed = ready.claimed
                until = None if self._considerate is None else self._considerate.quiet_until(ready.order, now=started)
                if until is not None and not ready.skip:
                    return (await self._finish_writer.write(put_off(claimed, until=until, now=started))).more_due
                skip = ready.skip or await self._look_up(ready, now=started)
                if skip == NO_FRESH_LIST:
                    end = put_off(claimed, until=started + LIST_LOOK, now=started, reason=skip)
                    return (await self._finish_writer.write(end)).more_due
                tried = await attempt(
                    ready.order, vendor=self._vendor, wire=wire, now=started, skip=skip, sent_before=ready.sent_before
                )
                elapsed_ms = round((monotonic() - began) * 1000)
                end, made = settle(
                    tried, order=ready.order, claimed=claimed, at_ms=at_ms, elapsed_ms=elapsed_ms, rng=self._rng
                )
            else:
                end, made = ready
        except asyncio.CancelledError:
            delay_ms = 0 if self._vendor.resend_is_safe(self._destination) else self._lease_ms
            end = interrupted(claimed, at_ms=at_ms, delay_ms=delay_ms, sent=wire.request is not None)
            return (await self._finish_writer.write(end)).more_due
        except UnreadableError as error:  # an event of a later version: nothing was sent
            await self._ledger.set_aside(claimed.key, fence=claimed.fence, reason=claimed.reason, why=str(error))
            return False
        except RedisError as error:
            # What is not known of the call cannot be sent: it goes back as if it had not been claimed.
            log.warning("ledger.unavailable", delivery_id=str(claimed.key), error=type(error).__name__)
            return (await self._finish_writer.write(interrupted(claimed, at_ms=at_ms, delay_ms=0, sent=False))).more_due
        except Exception as error:
            log.exception("delivery.attempt_failed", delivery_id=str(claimed.key), error=type(error).__name__)
            end, made = unexpected(
                claimed, destination=self._destination, at_ms=at_ms, error=error, sent=wire.request is not None,
                rng=self._rng,
            )  # fmt: skip
        finished = await self._finish_writer.write(end)
        self._observer.ended(self._destination, end, made, finished=finished, ready_at_ms=claimed.ready_at_ms)
        if self._traces is not None:
            self._traces.add(attempt_span(self._destination, end, made, begun_ns=ns_of(began)))
        return finished.more_due

    async def _look_up(self, ready: Ready, *, now: datetime) -> str:
        """Return ``suppressed`` when no lead may be made for the caller, ``no_fresh_list`` when nobody can say."""
        order, caller = ready.order, ready.order.call.caller
        age_s = None if self._considerate is None else self._considerate.list_age_s(self._destination)
        asked = age_s is not None or (ready.claimed.suppressing and self._vendor.suppressible)
        # Without the question where nothing is suppressed: it took a tenth of the instructions of a lead.
        if not asked or caller is None or order.key.action == "cancel":
            return ""
        numbers = [number for number in (caller, order.call.old_caller) if number is not None]
        found = [await self._ledger.standing_of(number) for number in numbers]
        if any(one.suppressed for one in found):
            return "suppressed"
        if age_s is None or now.timestamp() - found[-1].loaded_ms / 1000 <= age_s:
            return ""
        return NO_FRESH_LIST if is_wanted(order, vendor=self._vendor, now=now) else ""
