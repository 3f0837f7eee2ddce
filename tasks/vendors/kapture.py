"""Deliveries to Kapture: customers added and updated, or contacts of one customer."""

from schemas.delivery import Order, Prepared, Receipt, Response
from schemas.destination import Destination, VendorSpec
from schemas.kapture.customer import SPEC, fill_contact, fill_customer, page_request, update_of
from schemas.kapture.options import KaptureOptions
from schemas.kapture.reply import KaptureReply, has_contact, parse_reply, repair
from schemas.reply import Reply, normal, read_reply
from tasks.vendors.protocol import Http, Vendor
from tasks.vendors.status_rules import failing, post_and_judge, refused, require_caller, unanswered
from worker.errors import Blocked, DeliveryError, Permanent, Skipped, Transient

KNOWN = "customer_known"
CUSTOMER_ID = "customer_id"
CONTACT_OF = "contact_of"
"""Keys of a caller's memory: that a customer exists, its number, and of which customer it is a contact."""

_KEY_REFUSED = ("auth key invalid", "invalid auth key", "please use correct authkey", "authkeyinvalid")
_KEY_EXPIRED = ("auth key expired", "message key expired", "api request is expired", "apiexpired")
_INCOMPLETE = ("reqfieldmissing", "mandatory field missing")
_FAILED = ("serverfailure", "server error while processing this request")
_ABSENT = ("does not exist", "not found", "no record")
"""A search's way to say that nothing is there; the first in the words of the vendor's newer page."""


class Kapture(Vendor):
    """Customers: the first call of a caller adds, later ones update."""

    spec: VendorSpec = SPEC
    updates: bool = True
    one_at_a_time: bool = True
    suppressible: bool = False

    def delivers_at_start(self, destination: Destination) -> bool:
        """Return whether ``when = "start"`` is set: then the end of the call updates."""
        options: KaptureOptions = destination.options
        return options.when == "start"

    def resend_is_safe(self, destination: Destination) -> bool:
        """Return yes for customers, whom a second post updates, and no for contacts, of which it would make another."""
        options: KaptureOptions = destination.options
        return options.mode != "contact"

    def prepare(self, order: Order) -> Prepared:
        """Build an add, an update or a contact; raises ``Skipped`` or ``Permanent``.

        A contact cannot be updated: nothing more of the call would reach the vendor, so its updates are skipped, but
        for one that makes the contact.
        """
        options: KaptureOptions = order.destination.options
        updating = order.key.action.startswith("update") and not order.create_skipped
        if options.mode == "contact":
            if updating:
                raise Skipped("contained")
            filled = fill_contact(order.call, order.destination)
            gaps = require_caller(filled, SPEC, caller_key="phone")
            body = filled.values | {CUSTOMER_ID: options.customer_id or ""}
            request = page_request(order.destination, "contact", body)
            return Prepared(request=request, notes=(*filled.notes, *gaps), fields=filled.values)
        whole = fill_customer(order.call, order.destination)
        gaps = require_caller(whole, SPEC, caller_key="phone")
        update = update_of(whole, order.call)
        operation, body = "add", whole.values
        remembered = order.memory.get(CUSTOMER_ID, "")
        if updating or remembered or order.memory.get(KNOWN):
            operation, body = "update", update.values | ({CUSTOMER_ID: remembered} if remembered else {})
        # The fields of an update also stand for an add: what an update leaves alone is nothing new for one.
        request = page_request(order.destination, operation, body)
        return Prepared(request=request, notes=(*whole.notes, *gaps), fields=update.values)

    def judge(self, order: Order, response: Response) -> Receipt:
        """Read the verdict (the document's responses and error messages, and the forms that are met in the wild)."""
        reply, said = read_said(order.destination, response)
        if said.status != "success":
            raise failure_of(reply, said)
        options: KaptureOptions = order.destination.options
        if options.mode == "contact":
            return Receipt(remember={CONTACT_OF: options.customer_id or ""})
        remember = {KNOWN: "1"} | ({CUSTOMER_ID: said.customer_id} if said.customer_id else {})
        updated = next((words for words in said.words if "updated" in normal(words)), "")
        return Receipt(note=updated and reply.shown(updated), remote_id=said.customer_id, remember=remember)

    async def send(self, order: Order, *, prepared: Prepared, http: Http) -> Receipt:
        """Post once and judge; in mode contact never add a contact that is there already."""
        options: KaptureOptions = order.destination.options
        if options.mode != "contact":
            return await post_and_judge(self.judge, order, prepared=prepared, http=http)
        known = Receipt(duplicate=True, note="already a contact", remember={CONTACT_OF: options.customer_id or ""})
        if order.memory.get(CONTACT_OF) == options.customer_id:
            return known
        # Adding has no duplicate answer, so look whether an earlier try landed, whatever was answered to it: a redirect
        # or a no in unlisted words may come after the contact was stored.
        if order.unknown_before or order.number > 1:
            search = page_request(order.destination, "search", {CUSTOMER_ID: options.customer_id or ""})
            found = await http.send(search, timeout_s=order.destination.timeout_s)
            if _finds(order, found, phone=prepared.fields["phone"]):
                return known
        return await post_and_judge(self.judge, order, prepared=prepared, http=http)

    def probe(self, destination: Destination) -> Prepared:
        """Build a search for a customer that cannot exist; raises ``Permanent`` when no key is for searching."""
        try:
            request = page_request(destination, "search", {CUSTOMER_ID: "0"})
        except LookupError:
            raise Permanent("no_search_key", "auth_keys has no search, and any other request could write") from None
        return Prepared(request=request, notes=("searched for customer 0, who cannot exist: nothing is written",))

    def judge_probe(self, destination: Destination, response: Response) -> str:
        """Expect to be told that there is no such customer; whether the keys for writing are good it cannot tell."""
        reply, said = read_said(destination, response)
        if said.status == "success" or said.customers or is_absent(reply, said):
            return "it answers, and takes the key for searching"
        raise failure_of(reply, said)


def read_said(destination: Destination, response: Response) -> tuple[Reply, KaptureReply]:
    """Read a response: as it came, and what Kapture says in it."""
    reply = read_reply(response, secrets=destination.secrets, repair=repair)
    return reply, parse_reply(reply)


def _finds(order: Order, response: Response, *, phone: str) -> bool:
    """Return whether the search shows the caller as a contact; raises when the search tells nothing."""
    reply, said = read_said(order.destination, response)
    if said.status == "success" or said.customers:
        return has_contact(said, phone=phone, call=order.call)
    if is_absent(reply, said):
        return False
    error = failure_of(reply, said)
    if isinstance(error, Transient):
        error.unknown = True  # whether the earlier try landed is still not known
    raise error


def is_absent(reply: Reply, said: KaptureReply) -> bool:
    """Return whether Kapture's words say that nothing is there.

    With a status of failure only the vendor's own sentence counts: a web server that lacks the page says "Not Found".
    """
    known = _ABSENT if reply.status < 400 else _ABSENT[:1]  # noqa: PLR2004  the classes of failure
    return any(absent in normal(words) for words in said.words for absent in known)


def failure_of(reply: Reply, said: KaptureReply) -> DeliveryError:
    """Return what a reply without success means; the error messages come in two forms each."""
    shown = "; ".join(said.words)
    for words in map(normal, said.words):
        if any(text in words for text in _KEY_REFUSED):
            return Blocked("unauthorized", reply.shown(shown))
        if any(text in words for text in _KEY_EXPIRED):
            return Blocked("key_expired", reply.shown(shown))
        if words.endswith("required") or any(text in words for text in _INCOMPLETE):
            return Permanent("rejected", reply.shown(shown))
        if any(text in words for text in _FAILED):
            return failing("unavailable", reply, shown, unknown=True)
    if said.status.startswith("fail") or said.status == "error":
        return refused(reply, shown)
    return unanswered(reply, shown)
