"""One delivery, one try: the thick function, without Celery, clock or environment."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from time import monotonic

import orjson
import structlog

from schemas.blanking import blank
from schemas.delivery import Blocked, Dead, Delivered, Order, Outcome, Prepared, Request, Response, Retry, Skipped
from schemas.record import record
from tasks.vendors.protocol import Http, Vendor
from worker import errors
from worker.backoff import parse_retry_after

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Wire:
    """Hands requests on and keeps the last one and its reply, for the attempt log.

    All requests of an attempt end by ``until``, in monotonic seconds; after it none begins, however long the process
    stood still: the delivery may be another worker's by then.
    """

    http: Http
    until: float
    request: Request | None = None
    response: Response | None = None

    async def send(self, request: Request, *, timeout_s: float | None = None) -> Response:
        """Send as ``Http`` does, within what is left of the attempt's time; raises ``Transient`` as it does."""
        left_s = self.until - monotonic()
        if left_s <= 0:
            begun = self.request is not None
            raise errors.Transient("timeout", "no time left for a request", unknown=begun, counts=begun)
        self.request, self.response = request, None
        self.response = await self.http.send(request, timeout_s=min(left_s, timeout_s or left_s))
        return self.response


@record
class Tried:
    """The result of an attempt."""

    outcome: Outcome
    prepared: Prepared | None
    """What was to be sent; ``None`` when the call could not be turned into a request."""
    status: int | None
    reply: str = field(repr=False)
    """The vendor's words, secrets blanked; at most 2,048 characters."""
    sent_fields: str = ""
    """The digest of what the vendor confirmed; empty where there is no update to be told from it."""


async def attempt(
    order: Order, *, vendor: Vendor, wire: Wire, now: datetime, skip: str = "", sent_before: str = ""
) -> Tried:
    """Try one delivery and return the result; only here does a ``DeliveryError`` become an outcome.

    ``skip`` is a reason, found beforehand, not to send; ``now`` decides ``max_age`` (contract, section 4);
    ``sent_before`` is the digest of what the vendor has of this call: an update that adds nothing is skipped.
    Only cancellation leaves this function as an exception.
    """
    prepared: Prepared | None = None
    words = sent_fields = ""
    outcome: Outcome
    try:
        check_wanted(order, now=now, skip=skip)
        prepared = vendor.prepare(order)
        check_new(order, prepared, sent_before=sent_before)
        outcome = Delivered(await vendor.send(order, prepared=prepared, http=wire))
        sent_fields = digest(prepared) if vendor.updates else ""
    except errors.DeliveryError as error:
        outcome, words = outcome_of(error, now=now), error.detail
    except Exception as error:
        log.exception("delivery.attempt_failed", error=type(error).__name__)
        words = type(error).__name__
        outcome = Retry("unexpected", words, counts=False, exhausted_as="unexpected", unknown=wire.request is not None)
    response = wire.response
    reply = words or (response.body[:4096].decode("utf-8", "replace") if response is not None else "")
    return Tried(
        outcome=outcome,
        prepared=prepared,
        status=None if response is None else response.status,
        reply=blank(reply, order.destination.secrets)[:2048],  # cut last: half a secret is one too
        sent_fields=sent_fields,
    )


def check_wanted(order: Order, *, now: datetime, skip: str) -> None:
    """Raise ``Skipped`` for a reason found beforehand, or when the call is too old for the destination.

    A withdrawal is wanted whatever the age of the call.
    """
    if skip:
        raise errors.Skipped(skip)
    max_age_s = order.destination.max_age_s
    if max_age_s is None or order.key.action == "cancel":
        return
    if (now - order.call.started_at).total_seconds() > max_age_s:
        raise errors.Skipped("too_old")


def is_wanted(order: Order, *, vendor: Vendor, now: datetime) -> bool:
    """Say whether an attempt now would send something; one that is not skips at once, whatever it could wait for."""
    try:
        check_wanted(order, now=now, skip="")
        vendor.prepare(order)
    except Exception:  # noqa: BLE001  the attempt says what is wrong
        return False
    return True


def check_new(order: Order, prepared: Prepared, *, sent_before: str) -> None:
    """Raise ``Skipped`` when an update holds nothing that the vendor does not have already."""
    if sent_before and order.key.action.startswith("update-") and digest(prepared) == sent_before:
        raise errors.Skipped("contained")


def outcome_of(error: errors.DeliveryError, *, now: datetime) -> Outcome:
    """Turn the taxonomy of errors into outcomes, one for one; ``now`` is what a ``Retry-After`` date counts from."""
    match error:
        case errors.Transient():
            return Retry(
                error.reason, error.detail, parse_retry_after(error.retry_after, now),
                counts=error.counts, exhausted_as=error.exhausted_as, unknown=error.unknown,
            )  # fmt: skip
        case errors.Blocked():
            return Blocked(error.reason, error.detail, error.confirm, error.probe, error.dead)
        case errors.Skipped():
            return Skipped(error.reason)
        case _:
            return Dead(error.reason, error.detail)


def digest(prepared: Prepared) -> str:
    """Return a digest of the mapped values; an update with the same digest would bring nothing new."""
    return blake2b(orjson.dumps(dict(prepared.fields), option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
