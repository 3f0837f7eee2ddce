"""The reporter: writes what only a receiver knows into the ledger: spool, journal, refusals, its last webhook."""

import asyncio
import os
import socket
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path

import structlog

from receiver.redis_breaker import RedisBreaker
from receiver.spool.file import SpoolStatus
from worker.ledger.ledger import Ledger
from worker.ledger.reports import Report, report

log = structlog.get_logger(__name__)

EVERY_S = 2.0
TIMEOUT_S = 1.0


class Reporter:
    """Reports every two seconds while Redis takes writes; a report that fails is followed by the next one.

    ``heard_s`` is when a webhook was last taken, in epoch seconds; 0: none yet. ``refused`` are the totals by reason.
    ``journal`` says why the journal is not kept; nothing where it is.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        breaker: RedisBreaker,
        config: str,
        spool: Path | None,
        heard_s: Callable[[], float],
        refused: Callable[[], Mapping[str, int]],
        now_us: Callable[[], int],
        journal: Callable[[], str] = str,
    ) -> None:
        self._ledger = ledger
        self._breaker = breaker
        self._config = config
        host = socket.gethostname()
        self._name = f"{host}:{os.getpid()}"
        place = "" if spool is None else f"{host}:{spool.resolve()}"
        self._spool = blake2b(place.encode(), digest_size=6).hexdigest() if place else ""
        self._heard_s = heard_s
        self._refused = refused
        self._now_us = now_us
        self._journal = journal
        self._totals: Mapping[str, int] = {}
        self._refused_ms = 0
        self._spooled = 0
        self._since_ms = 0
        self._until_ms = 0

    def tell_spool(self, status: SpoolStatus) -> None:
        """Note what the spool holds."""
        now_ms = self._now_us() // 1000
        if status.events and (not self._spooled or not self._since_ms):
            oldest_us = status.oldest_us
            self._since_ms, self._until_ms = now_ms if oldest_us is None else oldest_us // 1000, 0
        elif not status.events and self._spooled:
            self._until_ms = now_ms
        self._spooled = status.events

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            if self._breaker.is_closed:
                try:
                    async with asyncio.timeout(TIMEOUT_S):
                        await report(self._ledger, self._report())
                except Exception as error:  # noqa: BLE001  the next one comes soon
                    log.debug("report.failed", error=type(error).__name__)
            await asyncio.sleep(EVERY_S)

    def _report(self) -> Report:
        totals = self._refused()
        if totals != self._totals:
            self._totals, self._refused_ms = totals, self._now_us() // 1000
        return Report(
            name=self._name, config=self._config, heard_ms=round(self._heard_s() * 1000), spool=self._spool,
            spooled=self._spooled, spooled_since_ms=self._since_ms, spooled_until_ms=self._until_ms, refused=totals,
            refused_ms=self._refused_ms, journal=self._journal(),
        )  # fmt: skip
