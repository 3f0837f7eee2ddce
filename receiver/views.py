"""The webhook: authenticate, find the call id, hand the event to the inbox, answer when it is safe."""

import time

from aiohttp import hdrs, web

from receiver.answer import Answer, delacon_answer
from receiver.auth import Network, Tokens, basic_password, query_tokens
from receiver.body import TooLarge, Unreadable, read_body
from receiver.inbox import Inbox, InboxFull, Outcome
from receiver.quarantine import Quarantine
from receiver.tally import Tally
from schemas.delacon import PathKind, UnusableBody, read_event

PATHS: dict[str, PathKind] = {
    "/services/calldata/create": "create",
    "/services/calldata/update": "update",
    "/services/calldata": "either",
}


class Webhook:
    """Takes Delacon's events (contract, section 5).

    The checks come in this order: network, method, token, size, body. Without ``tokens`` anybody may post: the
    composition root allows that on loopback only.
    """

    def __init__(
        self,
        *,
        tokens: Tokens,
        network: Network,
        max_body: int,
        inbox: Inbox,
        quarantine: Quarantine,
        tally: Tally,
    ) -> None:
        self._tokens = tokens
        self._network = network
        self._max_body = max_body
        self._inbox = inbox
        self._quarantine = quarantine
        self._tally = tally

    async def __call__(self, request: web.BaseRequest, path_kind: PathKind) -> Answer:
        """Answer one request; never raises for what a client may send."""
        begun = time.perf_counter()
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        try:
            body = await read_body(request, max_body=self._max_body)
        except TooLarge:
            self._tally.count("too_large")
            return delacon_answer(413, error=f"the body is larger than {self._max_body} bytes", close=True)
        except Unreadable as error:
            self._tally.count("unreadable")
            return delacon_answer(400, error=str(error), close=True)
        try:
            event = read_event(body, path_kind=path_kind)
        except UnusableBody as error:
            self._tally.count("unusable")
            reason = str(error)
            await self._quarantine.keep(body, reason=reason, path_kind=path_kind)
            return delacon_answer(400, error=reason)
        try:
            outcome = await self._inbox.put(event.call_id, event.record())
        except InboxFull:
            outcome = Outcome.REFUSED
        self._tally.count(outcome.value, kind=event.kind)
        if outcome is Outcome.REFUSED:
            return delacon_answer(503, call_id=event.call_id, error="the event cannot be stored now; try again")
        if outcome is Outcome.KEPT:
            return delacon_answer(503, call_id=event.call_id, error="the event is kept, but not safely; try again")
        self._tally.acknowledged(time.perf_counter() - begun)
        return delacon_answer(200, call_id=event.call_id)

    def _refusal(self, request: web.BaseRequest) -> Answer | None:
        """Give the answer to a request that may not post, before anything of its body is read."""
        if not self._network.unrestricted and not self._network.allow(
            request.remote, request.headers.getall(hdrs.X_FORWARDED_FOR, ())
        ):
            self._tally.count("forbidden")
            return delacon_answer(403, error="this network may not post")
        if request.method != hdrs.METH_POST:
            self._tally.count("method")
            return delacon_answer(405, error="only POST is taken here", headers=b"Allow: POST\r\n")
        if self._tokens and not self._authenticated(request):
            self._tally.count("unauthorized")
            return delacon_answer(
                401, error="the token is wrong or missing", headers=b'WWW-Authenticate: Basic realm="switchboard"\r\n'
            )
        return None

    def _authenticated(self, request: web.BaseRequest) -> bool:
        presented = query_tokens(request.rel_url.raw_query_string)
        header = request.headers.get(hdrs.AUTHORIZATION)
        if header is not None:
            presented += basic_password(header)
        return self._tokens.accept(presented)
