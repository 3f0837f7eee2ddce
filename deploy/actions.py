"""The operators' actions, for the command line and the console alike; the audit records each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from deploy.cli.session import Session
from schemas.blanking import blank
from schemas.delacon.events import PathKind, UnusableBody, read_event
from schemas.delivery import DeliveryKey, State
from schemas.destination import Destination
from tasks.dispatch.dispatcher import dispatch
from tasks.dispatch.planner import Planner
from tasks.vendors.protocol import Testable
from tasks.vendors.registry import VENDORS
from worker.errors import DeliveryError
from worker.http.client import HttpClient
from worker.ledger import admin
from worker.ledger.audit import Action
from worker.ledger.queries import QuarantinedBody
from worker.ledger.records import Accepted, Incoming

_OUTCOMES = {
    Accepted.NEW: "stored",
    Accepted.WAITS: "stored",
    Accepted.SAME: "stored before",
    Accepted.REMEMBERED: "its call is over",
}


async def replay(session: Session, keys: Sequence[DeliveryKey], *, by: Action) -> list[bool]:
    """Put dead letters back; ``False`` for each key that is no dead letter."""
    answers = await admin.replay(session.ledger, keys, by=by)
    await _follow_up(session, keys)
    return answers


async def redeliver(
    session: Session, keys: Sequence[DeliveryKey], *, states: Sequence[State], by: Action
) -> list[bool]:
    """Deliver final deliveries again, those in these states; ``False`` for each that is not."""
    answers = await admin.deliver_again(session.ledger, keys, states=states, by=by)
    await _follow_up(session, keys)
    return answers


async def _follow_up(session: Session, keys: Sequence[DeliveryKey]) -> None:
    """Look whether the caller of a replayed lead got through meanwhile: then it is withdrawn (contract, section 6).

    A plan that makes nothing and routes nothing, so that a replay of one delivery brings no other.
    """
    settings = session.settings
    ids = {
        key.call_id
        for key in keys
        if (destination := settings.destinations.get(key.destination))
        and VENDORS[destination.vendor].withdraw_within_s(destination) is not None
    }
    planner, now_ms = Planner(settings=settings, vendors=VENDORS), await session.ledger.now_ms()
    plans = [
        replace(
            planner.plan(stored, now_ms=now_ms),
            state="r", routes=stored.routes, deliveries=(), wait_until_ms=0,
        )
        for stored in await session.ledger.load(ids)
        if stored.state == "ready" and stored.planned_version == stored.version
    ]  # fmt: skip
    if plans:
        await session.ledger.plan(plans)


@dataclass(slots=True)
class Rerouted:
    """The result of routing calls again."""

    deliveries: int = 0
    unrouted: int = 0


async def reroute(session: Session, call_ids: Sequence[str], *, by: Action) -> Rerouted:
    """Route calls that exist by the present configuration; they keep the deliveries that they have."""
    if not call_ids:  # an empty dispatch would take whatever is due
        return Rerouted()
    ledger = session.ledger
    planner = Planner(settings=session.settings, vendors=VENDORS)
    before = {call.call_id: len(call.deliveries) for call in await ledger.load(call_ids)}
    await dispatch(call_ids, ledger=ledger, planner=planner, by=by)
    await admin.wake(ledger, session.settings.destinations)
    after = await ledger.load(call_ids)
    return Rerouted(
        deliveries=sum(len(call.deliveries) - before.get(call.call_id, 0) for call in after),
        unrouted=sum(call.state == "unrouted" for call in after),
    )


async def retry_body(session: Session, body_id: str, body: QuarantinedBody | None, *, by: Action) -> dict[str, Any]:
    """Read a quarantined body again; what can be read leaves quarantine. It counts as received when it was."""
    result = {"id": body_id, "accepted": False, "outcome": "unknown id", "call_id": None}
    if body is None:
        return result
    try:
        event = read_event(body.body, path_kind=cast("PathKind", body.path_kind))
    except UnusableBody as error:
        return {**result, "outcome": str(error)}
    [answer] = await session.ledger.accept([Incoming(event.call_id, body.received_us, event.record())])
    if answer is Accepted.QUARANTINED:
        return {**result, "outcome": "its call has no room for it", "call_id": event.call_id}
    if answer is Accepted.FAILED:
        return {**result, "outcome": "the ledger refused it", "call_id": event.call_id}
    await admin.forget_bodies(session.ledger, [body_id], by=by)
    return {"id": body_id, "accepted": True, "outcome": _OUTCOMES[answer], "call_id": event.call_id}


@dataclass(slots=True)
class Tested:
    """The test of a destination: what was sent, and what the answer shows."""

    destination: str
    vendor: str
    ok: bool = False
    did: str = "sent nothing"
    status: int | None = None
    milliseconds: int | None = None
    reason: str = ""
    words: str = ""

    def shape(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


async def test_destination(destination: Destination) -> Tested:
    """Ask a destination something that creates nothing; a paused or blocked one stays so.

    It needs no ledger; whoever asks puts it on record (``worker.ledger.audit.note``).
    """
    vendor = VENDORS[destination.vendor]
    tested = Tested(destination.name, destination.vendor)
    if not isinstance(vendor, Testable):
        tested.reason, tested.words = "no_test", f"{destination.vendor} has no request that creates nothing"
        return tested
    try:
        prepared = vendor.probe(destination)
        tested.did = "; ".join(prepared.notes)
        async with HttpClient.open() as http:
            response = await http.send(prepared.request, timeout_s=destination.timeout_s)
        tested.status, tested.milliseconds = response.status, response.elapsed_ms
        tested.words = vendor.judge_probe(destination, response)
        tested.ok = True
    except DeliveryError as error:
        tested.reason, tested.words = error.reason, blank(error.detail, destination.secrets)
    return tested
