"""The receiver's views: the webhook, which answers when the event is safe, and the table of all paths."""

import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import hdrs, web

from receiver.auth import Network, Tokens, basic_password, query_tokens, subnets
from receiver.doors import Doors
from receiver.health import Ops, Ready
from receiver.inbox import EventOutcome, Inbox, InboxFull
from receiver.measures import Measures
from receiver.quarantine import Quarantine
from receiver.refusals import Refusals
from receiver.request_body import TooLarge, Unreadable, read_body
from receiver.responses import Answer, delacon_answer
from receiver.senders import Sender, Senders
from receiver.server import Server, welcome
from receiver.tally import Tally
from receiver.traced_inbox import TracedInbox
from schemas.delacon.events import PathKind, UnusableBody, read_event
from worker.config.receiver import ReceiverSettings

_TRACEPARENT = "traceparent"

PATHS: dict[str, PathKind] = {
    "/services/calldata/create": "create",
    "/services/calldata/update": "update",
    "/services/calldata": "either",
}
LOOPBACK = subnets(("127.0.0.0/8", "::1/128"))

View = Callable[[web.BaseRequest], Awaitable[Answer]]

MOST_KNOWN = 256
LONGEST_KNOWN = 512
"""Queries that held a right token, and the characters of one: the next that is the same is not taken apart again. Two
texts are compared only when their hashes are equal, and Python makes these under a key of the process."""
_HASHES_ARE_KEYED = bool(sys.flags.hash_randomization)


class Webhook:
    """Takes Delacon's events (contract, section 5).

    The checks come in this order: network, method, token, rate, size, body, service. Without any token anybody may
    post: the composition root allows that on loopback only. Who has no right token loses the connection as well.
    """

    def __init__(
        self,
        *,
        senders: Senders,
        refusals: Refusals,
        network: Network,
        max_body: int,
        inbox: Inbox,
        quarantine: Quarantine,
        tally: Tally,
        traced: TracedInbox | None = None,
    ) -> None:
        self._senders = senders
        self._refusals = refusals
        self._network = network
        self._max_body = max_body
        self._inbox = inbox
        self._quarantine = quarantine
        self._tally = tally
        self._known: dict[str, Sender] = {}
        self._traced = traced

    async def __call__(self, request: web.BaseRequest, path_kind: PathKind) -> Answer:
        """Answer one request; never raises for what a client may send."""
        begun = time.perf_counter()
        sender = self._sender(request)
        if not isinstance(sender, Sender):
            return sender
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
        record = sender.record(event)
        if record is None:
            self._tally.count("forbidden", kind=event.kind)
            self._refusals.note("service", sender=sender.name, address=request.remote, call_id=event.call_id)
            return delacon_answer(403, call_id=event.call_id, error="this token does not speak for that PLA_CID")
        try:
            if self._traced is None:
                outcome = await self._inbox.put(event.call_id, record)
            else:
                header = request.headers.get(_TRACEPARENT)
                outcome = await self._traced.put(event, record, traceparent=header, begun=begun)
        except InboxFull:
            outcome = EventOutcome.REFUSED
        if outcome is EventOutcome.FOREIGN:
            self._refusals.note("conflict", sender=sender.name, address=request.remote, call_id=event.call_id)
        if outcome in _NOT_SAFE:
            self._tally.count(outcome.value, kind=event.kind)
            return delacon_answer(503, call_id=event.call_id, error=_NOT_SAFE[outcome])
        self._tally.acknowledged(
            event.call_id, kind=event.kind, sender=sender.name, outcome=outcome.value,
            took_s=time.perf_counter() - begun,
        )  # fmt: skip
        return delacon_answer(200, call_id=event.call_id)

    def _sender(self, request: web.BaseRequest) -> Sender | Answer:
        """Return who posts, or the answer to a request that may not, before anything of its body is read."""
        if not self._network.unrestricted:
            reason = self._network.refusal(request.remote, request.headers.getall(hdrs.X_FORWARDED_FOR, ()))
            if reason:
                return self._refuse(request, "forbidden", reason, delacon_answer(403, error=_FORBIDDEN[reason]))
        if request.method != hdrs.METH_POST:
            self._tally.count("method")
            return delacon_answer(405, error="only POST is taken here", headers=b"Allow: POST\r\n")
        sender = self._senders.anybody or self._authenticated(request)
        if sender is None:
            return self._refuse(request, "unauthorized", "token", _unauthorized())
        welcome(request)
        wait_s = sender.wait_s()
        if wait_s:
            self._tally.count("too_many")
            self._refusals.note("rate", sender=sender.name, address=request.remote)
            return delacon_answer(
                429, error="more than the rate of this sender", headers=b"Retry-After: %d\r\n" % wait_s
            )
        return sender

    def _refuse(self, request: web.BaseRequest, outcome: str, reason: str, answer: Answer) -> Answer:
        self._tally.count(outcome)
        self._refusals.note(reason, address=request.remote)
        return answer

    def _authenticated(self, request: web.BaseRequest) -> Sender | None:
        query = request.rel_url.raw_query_string
        header = request.headers.get(hdrs.AUTHORIZATION)
        if header is not None:
            return self._senders.find(query_tokens(query) + basic_password(header))
        known = self._known.get(query)
        if known is not None:
            return known
        sender = self._senders.find(query_tokens(query))
        if sender is not None and _HASHES_ARE_KEYED and len(query) <= LONGEST_KNOWN:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[query] = sender
        return sender


_NOT_SAFE = {
    EventOutcome.REFUSED: "the event cannot be stored now; try again",
    EventOutcome.KEPT: "the event is kept, but not safely; try again",
}
_FORBIDDEN = {"network": "this network may not post", "proxy": "only the proxies may connect here"}


def _unauthorized() -> Answer:
    return delacon_answer(
        401, error="the token is wrong or missing", headers=b'WWW-Authenticate: Basic realm="switchboard"\r\n'
    )


def create_app(
    *,
    settings: ReceiverSettings,
    inbox: Inbox,
    quarantine: Quarantine,
    ready: Ready,
    measures: Measures,
    tally: Tally,
    refusals: Refusals,
    traced: TracedInbox | None = None,
) -> Server:
    """Build the server; to be run by ``aiohttp.web.ServerRunner`` on the running loop.

    It is aiohttp's low-level server with a table of exact paths, for ``web.Application`` costs 10 us more a request.
    """
    network = Network(
        allow=settings.allow_networks,
        trusted_proxies=settings.trusted_proxies,
        proxy_networks=settings.proxy_networks,
    )
    webhook = Webhook(
        senders=Senders(settings),
        refusals=refusals,
        network=network,
        max_body=settings.max_body,
        inbox=inbox,
        quarantine=quarantine,
        tally=tally,
        traced=traced,
    )
    proxied = settings.trusted_proxies > 0
    ops = Ops(tokens=Tokens(settings.ops_tokens), proxied=proxied, ready=ready, measures=measures)
    views: dict[str, View] = {"/healthz": ops.healthz, "/readyz": ops.readyz, "/metrics": ops.metrics}
    for path, kind in PATHS.items():
        views[path] = views[f"{path}/"] = partial(webhook, path_kind=kind)

    async def route(request: web.BaseRequest) -> Answer:
        view = views.get(request.rel_url.raw_path)
        if view is None:
            return delacon_answer(404, error="there is nothing here")
        return await view(request)

    doors = Doors(
        most=settings.max_connections,
        # On loopback the proxies may go unnamed; then every peer is one.
        proxies=network.proxies or (LOOPBACK if proxied else ()),
        refused=lambda reason, address: refusals.note(reason, address=address),
    )

    def tell() -> None:
        refusals.tell()
        tally.tell()

    return Server(route, doors=doors, each_sweep=tell)
