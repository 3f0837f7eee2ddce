"""Listens to a whole run: no phone number, token or key in a task message, an event, a log or a metric."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.acceptance.leaks import Tap, forms_of_secret
from tests.acceptance.looks import get
from tests.acceptance.stack import TOKEN

SECRETS = (TOKEN, "standin-comunik8-key", "standin-kapture-key")
_NUMBER = r"(?<![\w.-])(?:\+?61[ -]?|0)?4\d\d[ -]?\d{3}[ -]?\d{3}(?![\w-])"  # every caller of the load, however written
_LEAK = re.compile("|".join([_NUMBER, *(re.escape(form) for secret in SECRETS for form in forms_of_secret(secret))]))
_SHOWN = 20


class LeakListener:
    """Counts what it looked through and keeps the first leaks: where they stand, not what they are."""

    def __init__(self, redis_url: str) -> None:
        self.messages = 0
        self.lines = 0
        self.leaks: list[str] = []
        self._url = redis_url
        self._tap = Tap(redis_url, self._hear)

    def __enter__(self) -> Self:
        self._tap.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._tap.__exit__(*details)

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """Hear nothing of Redis for a while: to write every byte of a flood costs it ten times the flood itself."""
        self._tap.__exit__()
        yield
        self._tap = Tap(self._url, self._hear)
        self._tap.__enter__()

    def read(self, folder: Path, ports: Iterable[int]) -> None:
        """Look through the metrics of every process and every log."""
        for port in ports:
            url = f"http://127.0.0.1:{port}/metrics"
            self._look(url, get(url)[1])
        for path in sorted(folder.glob("*.log")):
            with path.open(errors="replace") as log:
                for line in log:
                    self.lines += 1
                    self._look(f"{path.name}:{self.lines}", line)

    def told(self) -> str:
        """Say what was found."""
        found = f"{self.messages} messages and events, {self.lines} lines of logs: {len(self.leaks)} numbers or secrets"
        return "\n".join([found, *self.leaks[:_SHOWN]])

    def _hear(self, place: str, text: str) -> None:
        self.messages += 1
        self._look(f"{place} #{self.messages}", text)

    def _look(self, place: str, text: str) -> None:
        if _LEAK.search(text):
            self.leaks.append(place)
