"""The receiver put together: which path goes to which view."""

from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from receiver.answer import Answer, delacon_answer
from receiver.auth import Network, Tokens
from receiver.inbox import Inbox
from receiver.ops import Ops
from receiver.quarantine import Quarantine
from receiver.ready import Ready
from receiver.server import Server
from receiver.tally import Tally
from receiver.views import PATHS, Webhook
from worker.metrics import Metrics
from worker.settings import ReceiverSettings

View = Callable[[web.BaseRequest], Awaitable[Answer]]


def create_app(
    *,
    settings: ReceiverSettings,
    inbox: Inbox,
    quarantine: Quarantine,
    ready: Ready,
    metrics: Metrics,
) -> Server:
    """Build the server; to be run by ``aiohttp.web.ServerRunner`` on the running loop.

    It is aiohttp's low-level server with a table of exact paths, for ``web.Application`` costs 10 us more a request.
    """
    webhook = Webhook(
        tokens=Tokens(settings.tokens),
        network=Network(allow=settings.allow_networks, trusted_proxies=settings.trusted_proxies),
        max_body=settings.max_body,
        inbox=inbox,
        quarantine=quarantine,
        tally=Tally(webhooks=metrics.webhooks, ack_seconds=metrics.ack_seconds),
    )
    ops = Ops(tokens=Tokens(settings.ops_tokens), ready=ready, metrics=metrics)
    views: dict[str, View] = {"/healthz": ops.healthz, "/readyz": ops.readyz, "/metrics": ops.metrics}
    for path, kind in PATHS.items():
        views[path] = views[f"{path}/"] = partial(webhook, path_kind=kind)

    async def route(request: web.BaseRequest) -> Answer:
        view = views.get(request.rel_url.raw_path)
        if view is None:
            return delacon_answer(404, error="there is nothing here")
        return await view(request)

    return Server(route)
