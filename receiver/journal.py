"""The journal: every accepted event, a line each, in a file a day; nobody's answer waits for it.

A line is a JSON list: its version, the receipt in microseconds, the call's id, the record as the ledger takes it. Each
write begins a line of its own, so that one which a full disk cut short spoils no other.
"""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import orjson
import structlog

from worker.ledger.records import Incoming

log = structlog.get_logger(__name__)

VERSION = 1
PREFIX, SUFFIX = "events-", ".jsonl"
LOCK = ".lock"
MAX_WAITING = 32 * 1024 * 1024  # characters; a disk that hangs must not take the receiver's memory
SYNC_EVERY_S = 1.0
TRY_AGAIN_S = 60.0
CLOSE_S = 3.0


class Journal:
    """Appends events from a thread of its own; what it cannot write is told once, and lost to it alone.

    ``now`` gives aware UTC. Several receivers may share the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        retention: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        max_waiting: int = MAX_WAITING,
        try_again_s: float = TRY_AGAIN_S,
    ) -> None:
        self._folder = folder
        self._retention = retention
        self._now = now
        self._max_waiting = max_waiting
        self._try_again_s = try_again_s
        self._waiting: list[Incoming] = []
        self._size = 0
        self._changed = threading.Condition()
        self._closed = False
        self._stopped_at: float | None = None
        self._file: _DayFile | None = None
        self._synced = 0.0
        self._pruned: date | None = None
        self.fault = ""
        """Why the journal is not written now; empty while it is."""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def add(self, items: Iterable[Incoming]) -> None:
        """Hand events over; neither blocks nor raises."""
        with self._changed:
            for item in items:
                if self._size > self._max_waiting:
                    self._stop("the disk does not keep up")
                    break
                self._waiting.append(item)
                self._size += len(item.record)
            self._changed.notify()

    @property
    def waiting(self) -> int:
        """Return how many characters wait to be written."""
        return self._size

    def close(self) -> None:
        """Write what waits, and end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._waiting and not self._closed:
                    self._changed.wait(SYNC_EVERY_S if self._file is not None and self._file.unsynced else None)
                items, self._waiting, self._size = self._waiting, [], 0
                ends = self._closed and not items
            if items:
                self._write(items)
            self._sync(at_once=ends)  # without the lock: the loop, which hands events over, waits for no disk
            if ends:
                return

    def _write(self, items: Sequence[Incoming]) -> None:
        if (
            self._stopped_at is not None
            and time.monotonic() - self._stopped_at < self._try_again_s
            and not self._closed
        ):
            return
        today = self._now().date()
        try:
            with locked(self._folder):
                self._file = _DayFile.opened(self._file, self._folder, today)
                self._file.append(items)
            self._prune(today)
        except OSError as error:
            self._stop(error.strerror or type(error).__name__)
            return
        if self._stopped_at is not None:
            self._stopped_at, self.fault = None, ""
            log.warning("journal.resumed")

    def _sync(self, *, at_once: bool = False) -> None:
        if self._file is None or not self._file.unsynced:
            return
        if at_once or time.monotonic() - self._synced >= SYNC_EVERY_S:
            with suppress(OSError):
                self._file.sync()
            self._synced = time.monotonic()

    def _stop(self, why: str) -> None:
        if self._stopped_at is None:
            log.error("journal.stopped", why=why, folder=str(self._folder))
        self._stopped_at, self.fault = time.monotonic(), why

    def _prune(self, today: date) -> None:
        if self._pruned == today:
            return
        self._pruned = today
        for path in files_in(self._folder):
            day = day_of(path)
            # A day's last event is kept as long as its first.
            if day is not None and datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1) < (
                self._now() - self._retention
            ):
                path.unlink(missing_ok=True)
                log.info("journal.pruned", file=path.name)


@dataclass(slots=True)
class _DayFile:
    path: Path
    handle: int
    torn: bool = False
    unsynced: bool = False

    @classmethod
    def opened(cls, before: "_DayFile | None", folder: Path, day: date) -> "_DayFile":
        """Return the day's file; anew where somebody has put another in its place, as an erasure does."""
        path = folder / f"{PREFIX}{day.isoformat()}{SUFFIX}"
        if before is not None:
            with suppress(FileNotFoundError):
                if before.path == path and os.fstat(before.handle).st_ino == path.stat().st_ino:
                    return before
            with suppress(OSError):
                before.sync()
            os.close(before.handle)
        # Phone numbers stand in it.
        return cls(path, os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))

    def append(self, items: Sequence[Incoming]) -> None:
        lines = [orjson.dumps([VERSION, item.received_us, item.call_id, item.record]) for item in items]
        block = b"\n".join(lines) + b"\n"
        if self.torn:
            block = b"\n" + block
        self.torn = True  # until all of it is written
        while block:
            block = block[os.write(self.handle, block) :]
        self.torn, self.unsynced = False, True

    def sync(self) -> None:
        self.unsynced = False
        os.fsync(self.handle)


def files_in(folder: Path) -> list[Path]:
    """Return the files of a journal, the oldest day first."""
    return sorted(path for path in folder.glob(f"{PREFIX}*{SUFFIX}") if day_of(path) is not None)


def day_of(path: Path) -> date | None:
    """Return the day of a file of the journal; ``None`` where it is none."""
    with suppress(ValueError):
        return date.fromisoformat(path.name[len(PREFIX) : -len(SUFFIX)])
    return None


@dataclass(slots=True)
class Lines:
    """The events of a journal's files, in their order, and which lines could not be read."""

    paths: Sequence[Path]
    unreadable: list[int] = field(default_factory=list)
    """The numbers of such lines, counted over all files."""
    position: int = 0
    """Bytes read so far."""
    number: int = 0

    def __iter__(self) -> Iterator[Incoming]:
        """Read line by line; a torn one, and one of a later version, is counted and passed over."""
        for path in self.paths:
            with path.open("rb") as file:
                for line in file:
                    self.position += len(line)
                    self.number += 1
                    if not line.strip():
                        continue
                    if (item := read_line(line)) is None:
                        self.unreadable.append(self.number)
                    else:
                        yield item


def batches(items: Iterator[Incoming], count: int) -> Iterator[list[Incoming]]:
    """Return the events in batches of ``count``, the last one smaller."""
    while batch := list(islice(items, count)):
        yield batch


def read_line(line: bytes) -> Incoming | None:
    """Read one line; ``None`` where it is none."""
    try:
        version, received_us, call_id, record, *_ = orjson.loads(line)
    except (ValueError, TypeError):  # no JSON, or JSON that is no list
        return None
    whole = version == VERSION and isinstance(received_us, int) and isinstance(call_id, str) and isinstance(record, str)
    return Incoming(call_id, received_us, record) if whole else None


def erase(folder: Path, drop: Callable[[Incoming], bool]) -> int:
    """Write the files anew without the events that ``drop`` names; return how many there were. Raises ``OSError``."""
    erased = 0
    for path in files_in(folder):
        with locked(folder):
            beside = path.with_suffix(f".{os.getpid()}.part")
            try:
                count = _copy(path, beside, drop)
                if count:
                    beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
        erased += count
    return erased


def _copy(path: Path, beside: Path, drop: Callable[[Incoming], bool]) -> int:
    count = 0
    with (
        path.open("rb") as source,
        os.fdopen(os.open(beside, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as to,
    ):
        for line in source:
            item = read_line(line)
            if item is not None and drop(item):
                count += 1
            else:
                to.write(line)
        to.flush()
        os.fsync(to.fileno())
    return count


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep others from writing or erasing in a folder; makes it where there is none. Raises ``OSError``."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
