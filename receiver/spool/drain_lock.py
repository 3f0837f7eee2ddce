"""The lock that lets one of several processes drain their common spool."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from receiver.spool.file import SpoolError


@contextmanager
def drain_lock(path: Path) -> Iterator[bool]:
    """Say whether this is the one that drains the file at ``path``; a process that dies lets go of it.

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
    """Say whether nobody else holds it. Where a folder cannot be locked, drain: moving twice is only slower."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in {errno.EWOULDBLOCK, errno.EACCES, errno.EINTR}
    return True
