"""The stand-ins as one aiohttp application: vendors under their prefixes, faults before them, control beside them."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from deploy.local.standins.callcap import Callcap
from deploy.local.standins.callcap_pool import fictional_pool
from deploy.local.standins.captorra import Captorra
from deploy.local.standins.comunik8 import Comunik8
from deploy.local.standins.control import Control
from deploy.local.standins.delacon import Delacon
from deploy.local.standins.faults import SAYINGS, Fault
from deploy.local.standins.kapture import Kapture
from deploy.local.standins.store import Accounts, Logged, Store
from deploy.local.standins.wire import Answer, Asked, Handler, Route

_BODY_BYTES = 4 * 1024 * 1024
_STOP_S = 0.1  # hanging requests are cut, not waited for

View = Callable[[web.Request], Awaitable[web.StreamResponse]]


def create_app(*, store: Store, accounts: Accounts) -> web.Application:
    """Build the application; nothing else is shared between two of them."""
    shelves = [store.shelves[name] for name in ("captorra", "comunik8", "kapture", "callcap", "delacon")]
    vendors: dict[str, list[Route]] = {
        "captorra": Captorra(shelf=shelves[0], accounts=accounts).routes,
        "comunik8": Comunik8(shelf=shelves[1], accounts=accounts, now_ms=store.now_ms).routes,
        "kapture": Kapture(shelf=shelves[2], accounts=accounts).routes,
        "callcap": Callcap(shelf=shelves[3], accounts=accounts, pool=fictional_pool(), now_ms=store.now_ms).routes,
    }
    vendors["delacon"] = Delacon(shelf=shelves[4], accounts=accounts).routes
    # Whoever is told of alerts: they are only looked at, by /control/requests?vendor=alerts.
    vendors["alerts"] = [Route("POST", "", lambda _: Answer(b"", status=204))]
    app = web.Application(client_max_size=_BODY_BYTES)
    for vendor, routes in vendors.items():
        for route in routes:
            view = _view(store, vendor, route.handler)
            app.router.add_route(route.method, f"/{vendor}{route.path}", view)
    app.router.add_routes(Control(store).routes)
    return app


def _view(store: Store, vendor: str, handler: Handler) -> View:
    async def view(request: web.Request) -> web.StreamResponse:
        received_ms = store.now_ms()
        body = await request.read()
        logged = store.log(
            Logged(vendor, request.method, request.path, request.query, request.headers, body, received_ms)
        )
        latency_s, fault = store.strike(vendor, path=request.path, body=body)
        if latency_s:
            await asyncio.sleep(latency_s)
        asked = Asked(
            path=request.path,
            query=request.query,
            headers=request.headers,
            body=body,
            tail=request.match_info.get("tail", ""),
        )
        answer = handler(asked) if fault is None or fault.carries_out else Answer(b"")
        if fault is not None:
            answer = await _befall(request, fault, answer)
        answer = store.revise(request.method, request.path, answer)
        logged.answered_ms, logged.status = store.now_ms(), answer.status
        return web.Response(
            body=answer.wire(), status=answer.status, headers={"Content-Type": "application/json", **answer.headers}
        )

    return view


async def _befall(request: web.Request, fault: Fault, answer: Answer) -> Answer:
    """Carry out a fault; return the answer, if there is one."""
    if fault.mode.endswith("hang"):
        await asyncio.sleep(fault.hang_s)
    if fault.mode.endswith(("hang", "drop")):
        if request.transport is not None:
            request.transport.abort()
        return Answer(b"", status=0)
    if fault.mode == "close" and request.transport is not None:
        asyncio.get_running_loop().call_later(0.005, request.transport.close)
    if fault.says:
        return SAYINGS[fault.vendor][fault.says]
    if fault.status or fault.body is not None:
        body = fault.body if fault.body is not None else "Service Unavailable"
        return Answer(body.encode(), status=fault.status or 200, headers=fault.headers)
    return answer


class StandIns:
    """The stand-ins in this process: ``await start()``, then post to ``url`` and look into ``store``."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        accounts: Accounts | None = None,
        store: Store | None = None,
    ) -> None:
        self.store = store or Store()
        self._host = host
        self._port = port
        app = create_app(store=self.store, accounts=accounts or Accounts())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)

    @property
    def url(self) -> str:
        """Return the address, once started, without a slash at its end."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen; raises ``OSError`` when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port, backlog=1024).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection, hanging ones too."""
        await self._runner.cleanup()
