"""Deliveries to Comunik8: leads, and their withdrawal."""

from datetime import UTC, datetime

from schemas.call import MISSED, Call
from schemas.comunik8 import SPEC, Comunik8Options, Comunik8Reply, fill_lead, lead_body, page_url, parse_reply
from schemas.delivery import Order, Prepared, Receipt, Request, Response
from schemas.destination import Destination, VendorSpec
from schemas.quiet_hours import quiet_until
from schemas.reply import Reply, normal, read_reply
from tasks.vendors.protocol import Http, Vendor
from tasks.vendors.status_rules import failing, post_and_judge, refused, require_caller, unanswered
from worker.errors import Blocked, Skipped

CANCEL = "cancel"
_KNOWN_LEAD = frozenset({"existing contact", "another call is already scheduled"})
_GONE = frozenset({"not found", "already processed"})
_UNKNOWN_TYPE = "unknown type"
_UNKNOWN_GROUP = "server error (call group)"
_NOT_SAVED = "server error (save)"


class Comunik8(Vendor):
    """Dialler leads: a call is added once, and may be cancelled."""

    spec: VendorSpec = SPEC
    updates: bool = False
    one_at_a_time: bool = False
    suppressible: bool = True

    def withdraw_within_s(self, destination: Destination) -> float | None:
        """Return ``cancel_when_answered`` in seconds."""
        options: Comunik8Options = destination.options
        return options.cancel_when_answered

    def withdraw_scope(self, destination: Destination) -> str:
        """Return ``cancel_scope``."""
        options: Comunik8Options = destination.options
        return options.cancel_scope

    def resend_is_safe(self, destination: Destination) -> bool:
        """Return yes: a second lead is answered ``Existing Contact``, a second cancel ``not found``."""
        del destination
        return True

    def quiet_until(self, order: Order, *, now: datetime) -> datetime | None:
        """Return when the caller's quiet hours end; ``None``: there are none now, or this is a withdrawal."""
        options: Comunik8Options = order.destination.options
        if options.quiet_hours is None or order.key.action == CANCEL:
            return None
        return quiet_until(
            order.call.caller, options.quiet_hours, now, timezone=options.timezone, region=order.destination.region
        )

    def list_age_s(self, destination: Destination) -> float | None:
        """Return ``do_not_call`` in seconds."""
        options: Comunik8Options = destination.options
        return options.do_not_call

    def prepare(self, order: Order) -> Prepared:
        """Build the lead or its withdrawal; raises ``Skipped`` when there is none to make."""
        if order.key.action != CANCEL:
            _require_missed(order)
        filled = fill_lead(order.call, order.destination)
        gaps = require_caller(filled, SPEC, caller_key="mobile")
        values, notes, page = filled.values, (*filled.notes, *gaps), "add"
        if order.key.action == CANCEL:
            values, notes, page = {key: filled.values[key] for key in ("type", "mobile")}, (), "cancel"
        request = Request(method="POST", url=page_url(order.destination, page), json=lead_body(values))
        return Prepared(request=request, notes=notes, fields=values)

    def judge(self, order: Order, response: Response) -> Receipt:
        """Read the verdict (the document's "Response", "Examples" and fail states)."""
        reply = read_reply(response, secrets=order.destination.secrets)
        said = parse_reply(reply)
        if normal(said.words) == _NOT_SAVED:
            raise failing("unavailable", reply, said.words, unknown=False)
        if order.key.action == CANCEL:
            return _judge_cancel(reply, said)
        return _judge_add(reply, said)

    async def send(self, order: Order, *, prepared: Prepared, http: Http) -> Receipt:
        """Post once and judge."""
        return await post_and_judge(self.judge, order, prepared=prepared, http=http)

    def probe(self, destination: Destination) -> Prepared:
        """Build a lead marked as a test, which the vendor does not save, of a number that rings nobody."""
        values = fill_lead(_NOBODY, destination).values | {"test": "true"}
        request = Request(method="POST", url=page_url(destination, "add"), json=lead_body(values))
        return Prepared(request=request, notes=("posted a lead marked as a test: the vendor saves none of it",))

    def judge_probe(self, destination: Destination, response: Response) -> str:
        """Expect ``{"test": "ok"}``."""
        reply = read_reply(response, secrets=destination.secrets)
        said = parse_reply(reply)
        if said.tested:
            return "it answers test: ok"
        if said.saved and said.processed:
            return "it answers, and saved a lead that was marked as a test: remove that lead there"
        if normal(said.words) == _UNKNOWN_TYPE:
            raise Blocked("unknown_type", reply.shown(said.words), probe=False)
        raise refused(reply, said.words or said.field_errors) if reply.document else unanswered(reply)


_NOBODY = Call(
    call_id="switchboard-test",
    caller="+61491570156",  # kept for fiction by the Australian authority
    caller_digits="61491570156",
    caller_national="0491570156",
    country="AU",
    result="unanswered",
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def _require_missed(order: Order) -> None:
    """Raise ``Skipped`` unless the call was missed, where an answered one would withdraw it (contract, section 6)."""
    options: Comunik8Options = order.destination.options
    if options.cancel_when_answered is None or order.call.result in MISSED:
        return
    raise Skipped("answered" if order.call.result == "answered" else "no_result")


def _judge_add(reply: Reply, said: Comunik8Reply) -> Receipt:
    words = normal(said.words)
    if said.saved and said.processed:
        return Receipt()
    if said.tested:
        return Receipt(note="test: ok")
    if words in _KNOWN_LEAD:
        return Receipt(duplicate=True, note=reply.shown(said.words))
    if words == _UNKNOWN_TYPE:  # the vendor saved it, so another try would save it again
        raise Blocked("unknown_type", reply.shown(said.words), probe=False, dead=True)
    if said.saved is False or said.processed is False or words or said.field_errors:
        raise refused(reply, said.words or said.field_errors)
    raise unanswered(reply)


def _judge_cancel(reply: Reply, said: Comunik8Reply) -> Receipt:
    words = normal(said.words)
    if said.cancelled:
        return Receipt()
    if words in _GONE:
        return Receipt(note=reply.shown(said.words))
    if words == _UNKNOWN_GROUP:
        raise Blocked("unknown_type", reply.shown(said.words))
    if said.cancelled is False or words or said.field_errors:
        raise refused(reply, said.words or said.field_errors)
    raise unanswered(reply)
