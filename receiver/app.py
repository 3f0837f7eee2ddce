"""The receiver's app: the table of paths and their views."""

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from receiver.auth import Network, Tokens, subnets
from receiver.doors import Doors
from receiver.health import Ops, Ready
from receiver.inbox import Inbox
from receiver.measures import Measures
from receiver.quarantine import Quarantine
from receiver.refusals import Refusals
from receiver.responses import Answer, delacon_answer
from receiver.senders import Senders
from receiver.server import Server
from receiver.tally import Tally
from receiver.views import PATHS, Webhook
from worker.config.receiver import ReceiverSettings

LOOPBACK = subnets(("127.0.0.0/8", "::1/128"))

View = Callable[[web.BaseRequest], Awaitable[Answer]]


def create_app(
    *,
    settings: ReceiverSettings,
    inbox: Inbox,
    quarantine: Quarantine,
    ready: Ready,
    measures: Measures,
    tally: Tally,
    refusals: Refusals,
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
