"""The thin tasks ``tasks.callcap.search``, ``provision`` and ``update``; each carries the key of a written request."""

import structlog
from redis import RedisError

from schemas.callcap.requests import Kind
from tasks.callcap.requests import Callcap, NoSuchRequest, NotNoted
from tasks.worker_process import CALLCAP_THREADS
from worker.celery import app
from worker.concurrency import Turns
from worker.ledger.numbers import Numbers
from worker.runtime import runtime

log = structlog.get_logger(__name__)

# A Callcap that hangs must not hold the threads that the calls need.
_turns = Turns[tuple[Kind, str]](CALLCAP_THREADS)


def _carry_out(asked: tuple[Kind, str]) -> None:
    kind, key = asked
    owned = runtime()
    if owned.settings.callcap is None:
        log.error("callcap.not_configured", request_id=key)
        return
    if owned.stopping:
        app.send_task(f"tasks.callcap.{kind}", args=[key], queue="callcap")
        return
    callcap = Callcap(owned.settings.callcap, http=owned.http, numbers=Numbers(owned.ledger))
    try:
        owned.run(callcap.carry_out(key, kind))
    except NoSuchRequest:
        log.warning("number_request.absent", request_id=key, kind=kind)
    except (RedisError, NotNoted) as error:
        # What was claimed and not settled becomes "unknown" after its lease; the same key never sends it again.
        log.warning("number_request.ledger_failed", request_id=key, error=type(error).__name__)


def _make_task(kind: Kind) -> None:
    @app.task(name=f"tasks.callcap.{kind}")  # type: ignore[untyped-decorator]
    def carry_out(key: str) -> None:
        """Carry out the request of this key; a second message of the same key sends nothing."""
        _turns.take((kind, key), _carry_out)


for _kind in Kind:
    _make_task(_kind)
