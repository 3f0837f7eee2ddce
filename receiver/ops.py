"""For operators: whether the process lives, whether it can store, and its metrics."""

from typing import Any

from aiohttp import HttpVersion11, hdrs, web

from receiver.auth import Tokens, basic_password, bearer_token, is_direct_neighbour
from receiver.health import Ready
from receiver.responses import Answer, json_answer
from receiver.server import welcome
from worker.metrics import Metrics


class Ops:
    """``/healthz``, ``/readyz`` and ``/metrics`` (contract, section 5).

    The parts and the metrics need an ops token; where there is none, a direct neighbour on loopback may look, but not
    where proxies stand in front (``proxied``), which are neighbours too.
    """

    def __init__(self, *, tokens: Tokens, proxied: bool, ready: Ready, metrics: Metrics) -> None:
        self._tokens = tokens
        self._proxied = proxied
        self._ready = ready
        self._metrics = metrics

    async def healthz(self, request: web.BaseRequest) -> Answer:
        """Say that the process lives."""
        return _wrong_method(request) or json_answer(200, {"status": "ok"})

    async def readyz(self, request: web.BaseRequest) -> Answer:
        """Say whether an event can be stored; with its parts for those who may know."""
        wrong = _wrong_method(request)
        if wrong is not None:
            return wrong
        readiness = await self._ready.check()
        value: Any = {"status": "ok" if readiness.ok else "unavailable"}
        return json_answer(200 if readiness.ok else 503, readiness.parts if self._may_look(request) else value)

    async def metrics(self, request: web.BaseRequest) -> Answer:
        """Give the metrics in Prometheus's text form."""
        wrong = _wrong_method(request)
        if wrong is not None:
            return wrong
        if not self._may_look(request):
            return json_answer(401, {"error": "an ops token is needed"}, headers=b"WWW-Authenticate: Bearer\r\n")
        return Answer(200, self._metrics.render(), content_type=self._metrics.content_type.encode())

    def _may_look(self, request: web.BaseRequest) -> bool:
        if not self._tokens:
            http10 = request.version < HttpVersion11
            may = not self._proxied and is_direct_neighbour(request.remote, request.headers, http10=http10)
        else:
            header = request.headers.get(hdrs.AUTHORIZATION, "")
            may = self._tokens.accept([*bearer_token(header), *basic_password(header)])
        if may:
            welcome(request)
        return may


def _wrong_method(request: web.BaseRequest) -> Answer | None:
    if request.method in {hdrs.METH_GET, hdrs.METH_HEAD}:
        return None
    return json_answer(405, {"error": "only GET is taken here"}, headers=b"Allow: GET, HEAD\r\n")
