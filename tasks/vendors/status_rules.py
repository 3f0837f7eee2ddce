"""The rules that all vendors share: what a status means where no word decides, and which calls lack a caller."""

from collections.abc import Callable

from schemas.delivery import Order, Prepared, Receipt, Response
from schemas.destination import VendorSpec
from schemas.mapping import Filled
from schemas.reply import Reply
from tasks.vendors.protocol import Http
from worker.errors import Blocked, DeliveryError, Permanent, Skipped, Transient

_ASKED_TO_WAIT = {408: "timeout", 425: "too_early", 429: "rate_limited"}
_OF_A_PROXY = frozenset({404, 409, 421, 423})
"""Without words they tell nothing of the call: so answers what stands before a vendor that is being deployed."""
_SURELY_NOT_STORED = frozenset({425, 429})
"""Any other failure may come from a vendor, or a proxy before it, after the record was made."""


async def post_and_judge(
    judge: Callable[[Order, Response], Receipt], order: Order, *, prepared: Prepared, http: Http
) -> Receipt:
    """Send the prepared request and judge the reply: an attempt at a vendor that needs one request."""
    response = await http.send(prepared.request, timeout_s=order.destination.timeout_s)
    return judge(order, response)


def require_caller(filled: Filled, spec: VendorSpec, *, caller_key: str) -> tuple[str, ...]:
    """Raise ``Skipped`` when the body has no caller; return a note for every other required text that is empty.

    What else is missing is for the vendor to judge: its words make a better dead letter than a guess of ours.
    """
    if caller_key not in filled.values:
        raise Skipped("no_caller")
    if spec.required_fields <= filled.values.keys():
        return ()
    missing = sorted(spec.required_fields - filled.values.keys())
    return tuple(f"{name} is empty for this call, and {spec.name} requires it" for name in missing)


def status_error(reply: Reply, words: str = "") -> DeliveryError | None:
    """Return what the status means where no word decides (contract, section 6); ``None`` for 2xx.

    ``words`` are the vendor's, where it said any that can be read.
    """
    match reply.status:
        case status if 200 <= status < 300:  # noqa: PLR2004  the 2xx class
            return None
        case 401:
            return Blocked("unauthorized", reply.shown(words))
        case 403:
            return Blocked("forbidden", reply.shown(words), confirm=True)
        case status if 300 <= status < 400:  # noqa: PLR2004  the 3xx class
            return Blocked("redirected", reply.shown(reply.location or words), confirm=True)
        case status if status in _ASKED_TO_WAIT or status >= 500 or (status in _OF_A_PROXY and not words):  # noqa: PLR2004  the 5xx class
            reason = _ASKED_TO_WAIT.get(status, "unavailable")
            return failing(reason, reply, words, unknown=status not in _SURELY_NOT_STORED)
        case _:
            return Permanent("rejected", reply.shown(words))


def failing(reason: str, reply: Reply, words: str, *, unknown: bool) -> Transient:
    """Return the transient failure that a status or the vendor's words report."""
    return Transient(reason, reply.shown(words), retry_after=reply.retry_after, unknown=unknown)


def refused(reply: Reply, words: str) -> DeliveryError:
    """Return the error for a no in unlisted words: by the status, else transient and at last ``unrecognised``."""
    return status_error(reply, words) or Transient(
        "unrecognised", reply.shown(words), retry_after=reply.retry_after, exhausted_as="unrecognised", counts=False
    )


def unanswered(reply: Reply, words: str = "") -> DeliveryError:
    """Return the error for a reply that says neither yes nor no: by the status, else a lost answer."""
    return status_error(reply, words) or failing("unreadable", reply, "", unknown=True)
