"""What must not leave the ledger, and where to look for it: the broker's messages and events, and any text."""

import ast
import base64
import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Self
from urllib.parse import quote, urlsplit

_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[ ().\u00a0-]{1,2}(?=\d)")
_CARRIED = re.compile(rb'\+[\d.]+ \[\d+ (?!lua\])[^\]]*\] "(?:[LR]PUSH|PUBLISH|HSET" "unacked)"', re.IGNORECASE)
"""How kombu hands on a message, an event, and what is not yet acknowledged; scripts' own commands are the ledger's."""


class Tap:
    """Listens to every command that Redis is sent, as ``MONITOR`` tells it, and hands on what the broker carries.

    ``keep`` gets the list, channel or hash, and the whole message with its body decoded. A Redis that goes away and
    comes back is listened to again.
    """

    def __init__(self, redis_url: str, keep: Callable[[str, str], None]) -> None:
        self._address = urlsplit(redis_url)
        self._keep = keep
        self._ended = threading.Event()
        self._listening = threading.Event()
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="tap", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with suppress(OSError):
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)

    def _run(self) -> None:
        while not self._ended.wait(0.05):
            with suppress(OSError):
                self._listen()

    def _listen(self) -> None:
        password = self._address.password
        with socket.create_connection((self._address.hostname, self._address.port or 6379)) as self._connection:
            self._connection.sendall(f"AUTH {password}\r\nMONITOR\r\n".encode() if password else b"MONITOR\r\n")
            with self._connection.makefile("rb") as lines:
                for line in lines:
                    if line.startswith(b"+OK"):
                        self._listening.set()
                    elif _CARRIED.match(line) and line.endswith(b"\n"):  # a Redis that is killed ends in mid-line
                        self._look_at(line)

    def _look_at(self, line: bytes) -> None:
        _, *arguments = (ast.literal_eval(f'b"{word.decode("latin-1")}"') for word in _ARGUMENT.findall(line))
        self._keep(arguments[0].decode(), "\n".join(map(_opened, arguments[1:])))


def _opened(argument: bytes) -> str:
    """Return an argument of a command as text; a message's body is decoded and put behind it."""
    text = argument.decode(errors="replace")
    with suppress(ValueError, TypeError, KeyError):
        value = json.loads(text)
        message = value[0] if isinstance(value, list) else value
        text += "\n" + base64.b64decode(message["body"]).decode()
    return text


def forms_of_number(national: str, *, country: str) -> set[str]:
    """Return what every way to write a phone number holds, once blanks and signs between digits are gone."""
    return {national.lstrip("0"), f"{country}{national.lstrip('0')}"}


def forms_of_secret(secret: str) -> set[str]:
    """Return a secret as it stands, as in a URL, as in JSON, and as in the Basic header of any of these users."""
    pairs = {f"{user}:{secret}" for user in ("", "x", "operator", "default")} | {secret}
    encoded = {base64.b64encode(pair.encode()).decode().rstrip("=") for pair in pairs}
    return {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]} | encoded


def leaks(texts: Mapping[str, str], *, numbers: Iterable[str], secrets: Iterable[str]) -> set[tuple[str, str]]:
    """Return which of these forms stand where; the numbers' also when blanks and signs stand between the digits."""
    found = set()
    for place, text in texts.items():
        dense = _BETWEEN_DIGITS.sub("", text)
        found |= {(place, form) for form in numbers if form in text or form in dense}
        found |= {(place, form) for form in secrets if form in text}
    return found
