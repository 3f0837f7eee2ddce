"""The spool's file: events and bodies in SQLite, on the disk before the call returns; one receiver drains it."""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from worker.ledger.records import Incoming

# Shorter than the receiver's answer budget: several processes may share the file.
BUSY_MS = 500
# Bodies that nobody could read are kept for a human; a flood of them must not fill the disk of the events.
MAX_BODIES = 1000
MAX_BODIES_BYTES = 16 * 1024 * 1024
_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    received_us INTEGER NOT NULL, call_id TEXT NOT NULL, record TEXT NOT NULL,
    not_before_us INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS bodies (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    received_us INTEGER NOT NULL, path_kind TEXT NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS probe (one INTEGER PRIMARY KEY, filler BLOB NOT NULL);
"""


class SpoolError(Exception):
    """Raised when the spool cannot do what it was asked for; nothing of it is then stored."""


@dataclass(frozen=True, slots=True)
class Spooled:
    """A spooled event and its place in the order."""

    seq: int
    item: Incoming


@dataclass(frozen=True, slots=True)
class Body:
    """A body that holds no event, on its way to quarantine."""

    received_us: int
    path_kind: str
    reason: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """How much the spool holds; ``oldest_us`` is the receipt of its oldest event, ``size_bytes`` the file's."""

    events: int
    set_aside: int
    """How many of the events the ledger did not take alone; each is tried again from time to time."""
    bodies: int
    oldest_us: int | None
    size_bytes: int


class SpoolFile:
    """One connection to the file, for one thread at a time.

    WAL with ``synchronous=FULL``: a commit returns after its fsync, and a kill at any point leaves it whole.
    Every method raises ``SpoolError``. ``max_pages`` bounds the file, as a full disk would.
    """

    def __init__(self, path: Path, *, max_pages: int | None = None) -> None:
        self.path = path
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Phone numbers stand in it; SQLite gives its side files the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            _sync_folder(path.parent)
            self._db = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
            try:
                self._db.execute("PRAGMA auto_vacuum=INCREMENTAL")
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA fullfsync=1")
                # What is removed is overwritten with zeros: numbers of callers stood there.
                self._db.execute("PRAGMA secure_delete=ON")
                self._db.executescript(_SCHEMA)
                if max_pages is not None:
                    self._db.execute(f"PRAGMA max_page_count={max_pages:d}")
            except BaseException:
                self._db.close()
                raise

    def put(self, items: Sequence[Incoming]) -> None:
        """Store events, all or none, and return when they are on the disk."""
        rows = [(item.received_us, item.call_id, item.record) for item in items]
        with self._transaction():
            self._db.executemany("INSERT INTO events (received_us, call_id, record) VALUES (?, ?, ?)", rows)

    def batch(self, limit: int, *, now_us: int) -> list[Spooled]:
        """Return the oldest events, those postponed beyond now left out."""
        with _translated(self.path):
            rows = self._db.execute(
                "SELECT seq, call_id, received_us, record FROM events WHERE not_before_us <= ? ORDER BY seq LIMIT ?",
                (now_us, limit),
            ).fetchall()
        return [Spooled(seq, Incoming(call_id, received_us, record)) for seq, call_id, received_us, record in rows]

    def settle(self, *, done: Sequence[int], postponed: Sequence[int] = (), until_us: int = 0) -> None:
        """Remove events that are in the ledger, and put those back that it refused one by one."""
        with self._transaction():
            self._db.executemany("DELETE FROM events WHERE seq = ?", [(seq,) for seq in done])
            rows = [(until_us, seq) for seq in postponed]
            self._db.executemany("UPDATE events SET not_before_us = ? WHERE seq = ?", rows)

    def keep(self, body: Body) -> bool:
        """Keep an unusable body; ``False`` when as many are kept as fit."""
        with self._transaction():
            count, size = self._db.execute("SELECT COUNT(*), TOTAL(LENGTH(body)) FROM bodies").fetchone()
            if count >= MAX_BODIES or size + len(body.body) > MAX_BODIES_BYTES:
                return False
            self._db.execute(
                "INSERT INTO bodies (received_us, path_kind, reason, body) VALUES (?, ?, ?, ?)",
                (body.received_us, body.path_kind, body.reason, body.body),
            )
        return True

    def bodies(self, limit: int) -> list[tuple[int, Body]]:
        """Return the oldest kept bodies, each with its place."""
        with _translated(self.path):
            rows = self._db.execute(
                "SELECT seq, received_us, path_kind, reason, body FROM bodies ORDER BY seq LIMIT ?", (limit,)
            ).fetchall()
        return [(row[0], Body(*row[1:])) for row in rows]

    def drop_bodies(self, seqs: Sequence[int]) -> None:
        """Forget bodies that are in quarantine."""
        with self._transaction():
            self._db.executemany("DELETE FROM bodies WHERE seq = ?", [(seq,) for seq in seqs])

    def status(self) -> SpoolStatus:
        """Count what is there."""
        with _translated(self.path):
            events, set_aside, oldest_us = self._db.execute(
                "SELECT COUNT(*), TOTAL(not_before_us > 0), MIN(received_us) FROM events"
            ).fetchone()
            (bodies,) = self._db.execute("SELECT COUNT(*) FROM bodies").fetchone()
        files = (self.path, self.path.with_name(self.path.name + "-wal"))
        size_bytes = sum(file.stat().st_size for file in files if file.exists())
        return SpoolStatus(events, int(set_aside), bodies, oldest_us, size_bytes)

    def probe(self) -> None:
        """Write something durably, to see whether the disk takes it."""
        with self._transaction():
            # Random, for SQLite does not write again what is there; as much as a group of events.
            self._db.execute("INSERT OR REPLACE INTO probe VALUES (1, randomblob(65536))")

    def shrink(self) -> None:
        """Free the disk space of removed events."""
        with _translated(self.path):
            # As a script: it frees one page a step, and execute() makes one step where no rows come.
            self._db.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")

    def scrub(self) -> None:
        """Remove every trace of removed events from the file and its WAL, also of those that older versions left.

        Raises ``SpoolError`` also where another process reads at this moment.
        """
        with _translated(self.path):
            self._db.execute("VACUUM")
            busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                raise sqlite3.OperationalError("another process reads it")

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                # A full disk may have rolled it back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise SpoolError(f"{path}: {error}") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def drain_lock(path: Path) -> Iterator[bool]:
    """Return whether this is the one that drains the file at ``path``; a process that dies lets go of it.

    The lock is on the file's folder: it needs no right but to read, and leaves nothing behind that another user could
    not open. It is not on the file, since closing a second descriptor of it would drop SQLite's own locks, and systems
    such as macOS let ``flock`` and those shut each other out. Spools that share a folder take turns.
    """
    try:
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SpoolError(f"{path.parent}: {error.strerror}") from error
    try:
        yield _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    """Return whether nobody else holds it. Where a folder cannot be locked, drain: moving twice is only slower."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EWOULDBLOCK, errno.EACCES, errno.EINTR}
    return True
