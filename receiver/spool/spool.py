"""The spool: the receiver's local journal, written by one thread while Redis cannot take a write."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from receiver.spool.file import Body, Spooled, SpoolError, SpoolFile, SpoolStatus, drain_lock
from worker.ledger.records import Incoming

P = ParamSpec("P")
T = TypeVar("T")

# Jobs that wait for a disk that hangs: more would only hold memory for answers that were given up already.
MAX_JOBS = 64

JOB_S = 5.0  # a disk that hangs must not keep the receiver from a Redis that is back; every job may be done again


class Spool:
    """The spool's file behind a thread of its own; every method raises ``SpoolError``."""

    def __init__(self, file: SpoolFile, *, volatile: bool = False, job_s: float = JOB_S) -> None:
        self.volatile = volatile
        """Whether its disk dies with the process: an event that stands only there is kept but not acknowledged."""
        self._file = file
        self._job_s = job_s
        self._jobs: set[Future[Any]] = set()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")

    @classmethod
    def at(cls, path: Path) -> "Spool":
        """Open the spool, making its file where there is none."""
        return cls(SpoolFile(path))

    @property
    def path(self) -> Path:
        """Return the place of the file."""
        return self._file.path

    async def put(self, items: Sequence[Incoming]) -> None:
        """Store events, all or none, and return when they are on the disk."""
        await self._run(self._file.put, items)

    async def batch(self, limit: int, *, now_us: int) -> list[Spooled]:
        """Return the oldest events, those postponed beyond now left out."""
        return await self._run(self._file.batch, limit, now_us=now_us)

    async def settle(self, *, done: Sequence[int], postponed: Sequence[int] = (), until_us: int = 0) -> None:
        """Remove events that are in the ledger, and put those back that it refused one by one."""
        await self._run(self._file.settle, done=done, postponed=postponed, until_us=until_us)

    async def keep(self, body: Body) -> bool:
        """Keep an unusable body; ``False`` when as many are kept as fit."""
        return await self._run(self._file.keep, body)

    async def bodies(self, limit: int) -> list[tuple[int, Body]]:
        """Return the oldest kept bodies, each with its place."""
        return await self._run(self._file.bodies, limit)

    async def drop_bodies(self, seqs: Sequence[int]) -> None:
        """Forget bodies that are in quarantine."""
        await self._run(self._file.drop_bodies, seqs)

    async def status(self) -> SpoolStatus:
        """Count what is there."""
        return await self._run(self._file.status)

    async def probe(self) -> None:
        """Write something durably, to see whether the disk takes it."""
        await self._run(self._file.probe)

    async def shrink(self) -> None:
        """Free the disk space of removed events."""
        await self._run(self._file.shrink)

    def drain_lock(self) -> AbstractContextManager[bool]:
        """Return whether this is the one process that drains the file."""
        return drain_lock(self._file.path)

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._file.close)
        self._thread.shutdown(wait=False)

    async def _run(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if len(self._jobs) >= MAX_JOBS:
            raise SpoolError("the disk does not keep up")
        future = self._thread.submit(job, *args, **kwargs)
        self._jobs.add(future)
        future.add_done_callback(self._jobs.discard)
        try:
            async with asyncio.timeout(self._job_s):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise SpoolError("the disk does not answer") from error
