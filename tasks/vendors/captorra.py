"""Deliveries to Captorra."""

from schemas.captorra import SPEC, CaptorraOptions, fill_body, parse_reply
from schemas.delivery import Order, Prepared, Receipt, Request, Response
from schemas.destination import Destination, VendorSpec
from schemas.reply import normal, read_reply
from tasks.vendors.protocol import Http, Vendor
from tasks.vendors.status_rules import post_and_judge, refused, require_caller, unanswered
from worker.errors import Blocked, Permanent

_EXISTS = "phone source already exists"
_UNKNOWN_ACCOUNT = "please check captorraid"
_REJECTED = frozenset({"invalid json data", "invalid date", "invalid ani"})
_INCOMPLETE = "please provide "  # two forms in the document, with and without CaptorraId


class Captorra(Vendor):
    """Legal intake: a call is posted once, and ``ID`` makes a second post harmless."""

    spec: VendorSpec = SPEC
    updates: bool = False
    one_at_a_time: bool = False
    suppressible: bool = False

    def resend_is_safe(self, destination: Destination) -> bool:
        """Return yes: the second post of an ``ID`` is answered ``Phone source already exists``."""
        del destination
        return True

    def prepare(self, order: Order) -> Prepared:
        """Build the post; raises ``Skipped`` without a caller."""
        filled = fill_body(order.call, order.destination)
        gaps = require_caller(filled, SPEC, caller_key="ANI")
        request = Request(method="POST", url=order.destination.url, json=filled.values)
        return Prepared(request=request, notes=(*filled.notes, *gaps), fields=filled.values)

    def judge(self, order: Order, response: Response) -> Receipt:
        """Read the verdict (the document's "Responses"); its statuses are not documented, so words go first."""
        reply = read_reply(response, secrets=order.destination.secrets)
        said = parse_reply(reply)
        if said.success:
            return Receipt()
        words = normal(said.error)
        if words == _EXISTS:
            return Receipt(duplicate=True, note=reply.shown(said.error))
        if words == _UNKNOWN_ACCOUNT:
            raise Blocked("unknown_account", reply.shown(said.error))
        if words in _REJECTED or words.startswith(_INCOMPLETE):
            raise Permanent("rejected", reply.shown(said.error))
        if said.success is False or words:
            raise refused(reply, said.error)
        raise unanswered(reply)

    async def send(self, order: Order, *, prepared: Prepared, http: Http) -> Receipt:
        """Post once and judge."""
        return await post_and_judge(self.judge, order, prepared=prepared, http=http)

    def probe(self, destination: Destination) -> Prepared:
        """Build a post without the required fields, which cannot make a record."""
        options: CaptorraOptions = destination.options
        request = Request(method="POST", url=destination.url, json={options.id_key: options.captorra_id})
        return Prepared(request=request, notes=("posted no field but the account's number: nothing can be recorded",))

    def judge_probe(self, destination: Destination, response: Response) -> str:
        """Expect to be asked for the fields; a wrong account may be told instead, or only with a whole record."""
        reply = read_reply(response, secrets=destination.secrets)
        said = parse_reply(reply)
        words = normal(said.error)
        if words.startswith(_INCOMPLETE):
            return "it answers, and asks for the fields; whether it knows the account shows with the first call"
        if words == _UNKNOWN_ACCOUNT:
            raise Blocked("unknown_account", reply.shown(said.error))
        if said.success:
            return "it answers, and took a post without any field: look whether that made a record"
        raise refused(reply, said.error) if said.success is not None or words else unanswered(reply)
