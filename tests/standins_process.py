"""Vendor stand-ins in a process of their own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def running_standins() -> Iterator[str]:
    """Return their address, to be looked into by ``/control``."""
    command = [sys.executable, "-m", "deploy.local.standins", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
