"""The control side: what tests and people look at, and how they lay faults."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import orjson
from aiohttp import web

from deploy.local.standins.faults import Fault
from deploy.local.standins.store import VENDORS, Store

View = Callable[[web.Request], Awaitable[Any]]


def _json(view: View) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer a view's value as JSON, and a ``ValueError`` as status 400 with its text."""

    @wraps(view)
    async def answered(request: web.Request) -> web.Response:
        try:
            value, status = await view(request), 200
        except ValueError as error:
            value, status = {"error": str(error)}, 400
        return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")

    return answered


class Control:
    """Serves ``/control/...``; it asks for no key, for the stand-ins listen on loopback."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def routes(self) -> list[web.RouteDef]:
        """Return the paths served."""
        return [
            web.get("/control/health", _json(self._health), allow_head=False),
            web.get("/control/records", _json(self._records), allow_head=False),
            web.delete("/control/records", _json(self._remove)),
            web.get("/control/requests", _json(self._requests), allow_head=False),
            web.post("/control/reset", _json(self._reset)),
            web.post("/control/clock", _json(self._clock)),
            web.post("/control/faults", _json(self._lay)),
            web.get("/control/faults", _json(self._faults), allow_head=False),
            web.delete("/control/faults", _json(self._lift)),
        ]

    async def _health(self, _request: web.Request) -> Any:
        return {"ok": True}

    async def _records(self, request: web.Request) -> Any:
        """Return a list with ``?vendor=``, else every vendor's list by its name."""
        vendor = _vendor(request)
        return self._store.records(vendor) if vendor else {name: self._store.records(name) for name in VENDORS}

    async def _remove(self, request: web.Request) -> Any:
        vendor = _vendor(request)
        if not vendor:
            raise ValueError("say which vendor")
        return {"removed": self._store.shelves[vendor].remove(request.query.get("id"))}

    async def _requests(self, request: web.Request) -> Any:
        """Return counts, and the last 1,000 requests, of ``?vendor=`` alone and the newest ``?limit=`` only."""
        vendor = _vendor(request)
        kept = [entry for entry in self._store.requests if vendor in {"", entry.vendor}]
        limit = int(request.query.get("limit", len(kept)))
        shown = kept[max(len(kept) - limit, 0) :]
        return {"counts": dict(self._store.counts), "requests": [entry.shown() for entry in shown]}

    async def _reset(self, _request: web.Request) -> Any:
        self._store.reset()
        return {"ok": True}

    async def _clock(self, request: web.Request) -> Any:
        """Put the stand-ins' clock ``advance_s`` seconds ahead of where it is."""
        given = await _body(request)
        if not isinstance(given, dict) or not isinstance(given.get("advance_s"), int | float):
            raise ValueError("advance_s must be a number of seconds")  # noqa: TRY004  answered as 400
        self._store.ahead_s += given["advance_s"]
        return {"now_ms": self._store.now_ms()}

    async def _lay(self, request: web.Request) -> Any:
        """Add a fault, or several in an array, behind those that are there; the first that strikes wins."""
        given = await _body(request)
        entries = given if isinstance(given, list) else [given]
        laid = [Fault.read(entry, vendors=VENDORS) for entry in entries]
        self._store.faults.extend(laid)
        return {"faults": len(self._store.faults)}

    async def _faults(self, _request: web.Request) -> Any:
        return [fault.shown() for fault in self._store.faults]

    async def _lift(self, request: web.Request) -> Any:
        """Remove the faults of ``?vendor=``, or all."""
        vendor = _vendor(request)
        kept = [fault for fault in self._store.faults if vendor and fault.vendor != vendor]
        removed = len(self._store.faults) - len(kept)
        self._store.faults[:] = kept
        return {"removed": removed}


def _vendor(request: web.Request) -> str:
    vendor = request.query.get("vendor", "")
    if vendor and vendor not in VENDORS:
        raise ValueError(f"unknown vendor {vendor}; known are {', '.join(VENDORS)}")
    return vendor


async def _body(request: web.Request) -> Any:
    """Read a body as JSON; ``orjson.JSONDecodeError`` is a ``ValueError``."""
    return orjson.loads(await request.read())
