"""The lock that lets one of several receivers drain their common spool."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from receiver.spool_file import SpoolError


@contextmanager
def drain_lock(path: Path) -> Iterator[bool]:
    """Say whether this is the one that drains the file; a process that dies lets go of it."""
    try:
        handle = os.open(path.with_name(path.name + "-drain"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise SpoolError(f"{path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
