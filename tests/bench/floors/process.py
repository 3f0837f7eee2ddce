"""Runs a floor in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.stack import ROOT


@contextmanager
def listening(module: str) -> Iterator[tuple[int, int]]:
    """Run a server that prints its port; returns port and process id."""
    with subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


def result_of(module: str, *arguments: object) -> dict[str, Any]:
    """Run a program that prints one JSON object."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
