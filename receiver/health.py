"""Health for operators: whether the process lives, whether an event can be stored, and the metrics."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiohttp import HttpVersion11, hdrs, web
from redis.exceptions import ResponseError

from receiver.auth import Tokens, basic_password, bearer_token, is_direct_neighbour
from receiver.measures import Measures
from receiver.redis_breaker import RedisBreaker
from receiver.responses import Answer, json_answer
from receiver.server import welcome
from receiver.spool.spool import Spool
from worker.ledger.sign_ins import SignIn, differing
from worker.metrics import Metrics

log = structlog.get_logger(__name__)


REDIS_TIMEOUT_S = 1.0
# Anybody may ask, so the answer costs at most one look a second.
FRESH_S = 1.0
# Durability is configuration: it changes when an operator changes it.
DURABILITY_FRESH_S = 30.0
_FSYNC = {"always": "always", "everysec": "everysec", "no": "none"}


class Workload(Protocol):
    """The part of the ledger's overview that readiness shows."""

    @property
    def workers(self) -> int:
        """Return the number of workers whose clocks ticked lately."""
        ...

    @property
    def sign_ins(self) -> Sequence[SignIn]:
        """Return those workers, each with its configuration."""
        ...

    @property
    def oldest_due_seconds(self) -> float | None:
        """Return the age of the oldest due item that nobody took; ``None`` when nothing is due."""
        ...


class HealthLedger(Protocol):
    """What readiness needs of the ledger; every method raises ``redis.RedisError``."""

    async def ping(self) -> None:
        """Ask Redis whether it takes a write."""
        ...

    async def overview(self, destinations: Iterable[str]) -> Workload:
        """Return how many workers live and what is due."""
        ...


class RedisConfig(Protocol):
    """The two commands of a Redis client that tell how durable it is."""

    def info(self, section: str) -> Awaitable[Mapping[str, Any]]:
        """Return a section of INFO."""
        ...

    def config_get(self, pattern: str) -> Awaitable[Mapping[Any, Any]]:
        """Return settings; raises ``ResponseError`` where that is not permitted."""
        ...


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether an event can be stored, and the parts of ``/readyz`` (contract, section 5)."""

    ok: bool
    parts: Mapping[str, Any]


async def durability(redis: RedisConfig) -> str:
    """Return what a killed Redis keeps: ``always``, ``everysec``, ``none``, or ``unknown`` where it does not say.

    Raises ``redis.RedisError`` when Redis does not answer at all.
    """
    try:
        if not int((await redis.info("persistence"))["aof_enabled"]):
            return "none"
        return _FSYNC.get((await redis.config_get("appendfsync"))["appendfsync"], "unknown")
    except (ResponseError, KeyError, ValueError):
        return "unknown"


class Ready:
    """Looks at Redis, the spool and the work; returns what it found for a second.

    ``besides``: parts that are there only while something is wrong.
    """

    def __init__(  # noqa: PLR0913  it looks at every part
        self,
        *,
        ledger: HealthLedger,
        redis: RedisConfig,
        spool: Spool | None,
        breaker: RedisBreaker,
        destinations: Collection[str],
        config: str,
        now_us: Callable[[], int],
        refused: Callable[[], Mapping[str, int]] = dict,
        besides: Callable[[], Mapping[str, Any]] = dict,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._redis = redis
        self._spool = spool
        self._breaker = breaker
        self._destinations = destinations
        self._config = config
        self._now_us = now_us
        self._refused = refused
        self._besides = besides
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._found: tuple[float, bool, Readiness] | None = None
        self._durability: tuple[float, str] | None = None

    async def check(self) -> Readiness:
        """Look, or return what was found within the last second, unless the breaker was tripped or reset since."""
        async with self._lock:
            now, closed = self._monotonic(), self._breaker.is_closed
            if self._found is None or now - self._found[0] >= FRESH_S or self._found[1] is not closed:
                self._found = (now, closed, await self._look())
            return self._found[2]

    async def _look(self) -> Readiness:
        redis_ok, spool = await asyncio.gather(self._redis_takes_writes(), self._look_at_spool())
        parts: dict[str, Any] = {
            "redis": "ok" if redis_ok else "down",
            "durability": "unknown",
            "spool": spool,
            "workers": None,
            "oldest_due_seconds": None,
        }
        if refused := dict(self._refused()):
            parts["refused"] = refused
        parts |= self._besides()
        if redis_ok:
            parts |= await self._ask_redis()
        return Readiness(redis_ok or spool["state"] == "ok", parts)

    async def _ask_redis(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                found["durability"] = await self._look_at_durability()
                overview = await self._ledger.overview(self._destinations)
                found["workers"] = overview.workers
                found["oldest_due_seconds"] = overview.oldest_due_seconds
                if others := differing(overview.sign_ins, self._config):
                    found["config"] = {"digest": self._config, "differing": others}
        except Exception as error:  # noqa: BLE001  what cannot be told stays unknown
            log.warning("readyz.incomplete", error=type(error).__name__)
        return found

    async def _redis_takes_writes(self) -> bool:
        if not self._breaker.is_closed:
            return False
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._ledger.ping()
        except Exception:  # noqa: BLE001  whatever it was, it is no sign of life
            return False
        return True

    async def _look_at_spool(self) -> dict[str, Any]:
        if self._spool is None:
            return {"state": "off"}
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                status = await self._spool.status()
                await self._spool.probe()
        except Exception:  # noqa: BLE001  a full disk, a slow one
            return {"state": "failing"}
        oldest_us = status.oldest_us
        return {
            "state": "volatile" if self._spool.volatile else "ok",
            "events": status.events,
            "set_aside": status.set_aside,
            "bodies": status.bodies,
            "oldest_seconds": None if oldest_us is None else max(0.0, (self._now_us() - oldest_us) / 1e6),
            "bytes": status.size_bytes,
        }

    async def _look_at_durability(self) -> str:
        now = self._monotonic()
        if self._durability is None or now - self._durability[0] >= DURABILITY_FRESH_S:
            self._durability = (now, await durability(self._redis))
        return self._durability[1]


class Ops:
    """``/healthz``, ``/readyz`` and ``/metrics`` (contract, section 5).

    The parts and the metrics need an ops token; where there is none, a direct neighbour on loopback may look, but not
    where proxies stand in front (``proxied``), which are neighbours too.
    """

    def __init__(self, *, tokens: Tokens, proxied: bool, ready: Ready, measures: Measures) -> None:
        self._tokens = tokens
        self._proxied = proxied
        self._ready = ready
        self._measures = measures

    async def healthz(self, request: web.BaseRequest) -> Answer:
        """Answer that the process lives."""
        return _wrong_method(request) or json_answer(200, {"status": "ok"})

    async def readyz(self, request: web.BaseRequest) -> Answer:
        """Return whether an event can be stored; with its parts for those who may know."""
        wrong = _wrong_method(request)
        if wrong is not None:
            return wrong
        readiness = await self._ready.check()
        value: Any = {"status": "ok" if readiness.ok else "unavailable"}
        return json_answer(200 if readiness.ok else 503, readiness.parts if self._may_look(request) else value)

    async def metrics(self, request: web.BaseRequest) -> Answer:
        """Return the metrics in Prometheus's text form."""
        wrong = _wrong_method(request)
        if wrong is not None:
            return wrong
        if not self._may_look(request):
            return json_answer(401, {"error": "an ops token is needed"}, headers=b"WWW-Authenticate: Bearer\r\n")
        return Answer(200, await self._measures.render(), content_type=Metrics.content_type.encode())

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
