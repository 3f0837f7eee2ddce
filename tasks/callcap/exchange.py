"""One exchange with Callcap: a request is sent once, and what came back is an outcome."""

from dataclasses import replace

from schemas.callcap.replies import CallcapReply, Said, judge
from schemas.callcap.requests import Kind, NumberOutcome, NumberRequest, Parameters, RequestState
from schemas.callcap.wire import Account, provision_request, search_request, update_request
from schemas.delivery import Request
from tasks.vendors.protocol import Http
from worker.errors import Transient

TIMEOUT_S = 20.0
"""Of one request to Callcap; must be less than ``worker.ledger.numbers.LEASE_MS``."""


async def send(account: Account, request: NumberRequest, *, http: Http) -> NumberOutcome:
    """Send a request once; returns ``WAITING`` only where Callcap certainly did not get it, or for a search."""
    match request.kind:
        case Kind.SEARCH:
            return await search(account, request.parameters, http=http)
        case Kind.PROVISION:
            sent = provision_request(account, request.parameters)
        case Kind.UPDATE:
            sent = update_request(account, request.number, request.parameters)
    reply = await _exchange(sent, account=account, http=http)
    return reply if isinstance(reply, NumberOutcome) else _outcome(request, reply)


async def search(account: Account, parameters: Parameters, *, http: Http) -> NumberOutcome:
    """Ask Callcap for numbers; finding none is done, too. It changes nothing, so an unknown outcome may be repeated."""
    reply = await _exchange(search_request(account, parameters), account=account, http=http)
    if isinstance(reply, NumberOutcome):
        return replace(reply, state=RequestState.WAITING)
    if reply.said is Said.UNKNOWN:
        return NumberOutcome(state=RequestState.WAITING, reason=reply.reason, words=reply.message)
    if reply.said is Said.NO and reply.reason != "not_found":
        return NumberOutcome(state=RequestState.FAILED, reason=reply.reason, words=reply.message)
    # An empty search may be an error: "did not exist or did not have anything to say" (Callcap, Getting Started).
    nothing = reply.said is Said.NO
    return NumberOutcome(
        state=RequestState.DONE,
        reason="nothing_found" if nothing or not reply.numbers else "",
        words=reply.message if nothing else "",
        numbers=() if nothing else reply.numbers,
        document=reply.document,
    )


async def _exchange(request: Request, *, account: Account, http: Http) -> CallcapReply | NumberOutcome:
    """Send once; without a reply the outcome says whether Callcap can have got it."""
    try:
        response = await http.send(request, timeout_s=TIMEOUT_S)
    except Transient as error:
        state = RequestState.UNKNOWN if error.unknown else RequestState.WAITING
        return NumberOutcome(state=state, reason=error.reason, words=error.detail)
    return judge(response, api_key=account.api_key)


def _outcome(request: NumberRequest, reply: CallcapReply) -> NumberOutcome:
    """Return what a reply to a provisioning or an update comes to."""
    match reply.said:
        case Said.YES:
            chosen = request.about or next(iter(reply.numbers), "")
            return NumberOutcome(state=RequestState.DONE, number=chosen, document=reply.document)
        case Said.NO:
            state = RequestState.FAILED
        case Said.UNKNOWN:
            state = RequestState.UNKNOWN
    return NumberOutcome(
        state=state, reason=reply.reason, words=reply.message, number=request.about, document=reply.document
    )
