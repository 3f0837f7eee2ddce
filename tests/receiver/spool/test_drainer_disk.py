"""A Redis that is back is used, whatever the spool's disk does: 503 is for when neither takes an event."""

import threading

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from receiver.redis_breaker import RedisBreaker
from receiver.spool.file import SpoolError, SpoolFile
from receiver.spool.spool import Spool
from tests.receiver.scripted import FakeLedger, until
from tests.receiver.spool.draining import event, looking_after


@pytest.mark.parametrize("refusing", ["status", "settle"])
async def test_a_disk_that_fails_does_not_keep_the_breaker_tripped(tmp_path, refusing, monkeypatch):
    """Neither when it cannot be read nor when nothing can be removed from it."""

    async def fail(*_: object, **__: object) -> None:
        raise SpoolError("read-only file system")

    ledger, breaker = FakeLedger(fault=RedisConnectionError("gone")), RedisBreaker()
    breaker.trip(RedisConnectionError("gone"))
    spool = Spool.at(tmp_path / "spool.db")
    await spool.put([event(1)])
    monkeypatch.setattr(spool, refusing, fail)
    async with looking_after(ledger, breaker, spool):
        ledger.fault = None
        await until(lambda: breaker.is_closed)
    await spool.close()


async def test_a_disk_that_hangs_does_not_either(tmp_path):
    """The drainer gives it up each time, so that the breaker is reset after the next hiccup too."""
    free = threading.Event()

    class Hanging(SpoolFile):
        def settle(self, **_: object) -> None:
            free.wait(30)

    spool = Spool(Hanging(tmp_path / "spool.db"), job_s=0.5)
    ledger, breaker = FakeLedger(), RedisBreaker()
    await spool.put([event(1)])
    async with looking_after(ledger, breaker, spool):
        for _ in range(2):
            breaker.trip(RedisConnectionError("gone"))
            await until(lambda: breaker.is_closed)
    free.set()
    await spool.close()
