"""The faults of a configuration file, collected so that all are told at once, each with its line."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cached_property

from schemas.blanking import blank
from worker.errors import SettingsError

Path = tuple[str | int, ...]
"""Where a value stands: keys, and positions in arrays of tables, from 0."""

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_KEYS = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_STATEMENT = re.compile(
    rf"[ \t]*(?:\[\[[ \t]*(?P<item>{_KEYS})[ \t]*\]\]|\[[ \t]*(?P<table>{_KEYS})[ \t]*\]|(?P<key>{_KEYS})[ \t]*=)"
)
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|'  # texts of several lines; up to two more quotes belong to the text
    r"'''.*?'{3,5}|"
    r'"(?:\\.|[^"\\\n])*"|'
    r"'[^'\n]*'|"
    r"\#[^\n]*|"
    r"[\[\]{}\n]",
    re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, from 1, of every table header and key of a valid TOML document.

    Keys inside inline tables and items of arrays are not told apart: they stand on the line of their key.
    """
    lines: dict[Path, int] = {}
    counts: Counter[Path] = Counter()
    table: Path = ()
    position, line = 0, 1
    while position < len(text):
        statement = _STATEMENT.match(text, position)
        if statement is not None:
            if statement["key"]:
                _note(lines, table, _split(statement["key"]), line)
            else:
                names = _split(statement["table"] or statement["item"])
                table = _resolve(names[:-1], counts) + names[-1:]
                if statement["item"]:
                    counts[table] += 1
                table = _resolve(names, counts)
                lines.setdefault(table, line)
            position = statement.end()
        end = _end_of_statement(text, position)
        line += text.count("\n", position, end)
        position = end
    return lines


def _note(lines: dict[Path, int], table: Path, names: Path, line: int) -> None:
    """Note a key, and the tables that a dotted key opens."""
    for length in range(1, len(names) + 1):
        lines.setdefault(table + names[:length], line)


def _end_of_statement(text: str, position: int) -> int:
    """Return the position after the line end that is in no text, array or inline table."""
    depth = 0
    for token in _TOKEN.finditer(text, position):
        match token.group():
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth <= 0:
                return token.end()
    return len(text)


def _split(dotted: str) -> tuple[str, ...]:
    """Split a dotted key into its names, by the parser that knows the rules of quoting."""
    names: list[str] = []
    value: object = tomllib.loads(f"{dotted} = 0")
    while isinstance(value, dict):
        ((name, value),) = value.items()
        names.append(name)
    return tuple(names)


def _resolve(names: tuple[str, ...], counts: Counter[Path]) -> Path:
    """Put in the position of the newest item wherever a name stands for an array of tables."""
    path: Path = ()
    for name in names:
        path += (name,)
        if counts[path]:
            path += (counts[path] - 1,)
    return path


_SECRET_LENGTH = 8
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class Faults:
    """Collects faults of a file's text by place; of several at one place, or inside it, the first is told."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._text = text
        self._found: dict[Path, str] = {}
        self._names: dict[Path, str] = {}
        self._hidden: set[str] = set()

    def hide(self, value: str) -> None:
        """Blank what a variable held wherever a fault would show it; short values are no secrets."""
        if len(value) >= _SECRET_LENGTH:
            self._hidden.add(value)

    def add(self, path: Path, text: str) -> None:
        """Note a fault, unless the place or one around or inside it has a fault already."""
        if not self.known(path):
            self._found[path] = text

    def add_name(self, path: Path, text: str) -> None:
        """Note that a place has a wrong name; faults inside it are told as well."""
        self._names[path] = text

    def add_messages(self, path: Path, messages: object) -> None:
        """Note what a marshmallow schema says, at any depth."""
        match messages:
            case dict():
                for name, inner in messages.items():
                    self.add_messages(path if name == "_schema" else (*path, name), inner)
            case list():
                self.add(path, "; ".join(str(text).rstrip(".") for text in messages))
            case _:
                self.add(path, str(messages).rstrip("."))

    def add_unknown(self, path: Path, known: Iterable[str]) -> None:
        """Note an unknown key, with the known one that is nearest to it."""
        near = get_close_matches(str(path[-1]), sorted(known), n=1)
        self.add(path, f"unknown key; did you mean {near[0]!r}?" if near else "unknown key")

    def known(self, path: Path) -> bool:
        """Return whether a fault stands at ``path``, around it or inside it."""
        return any(found[: len(path)] == path[: len(found)] for found in self._found)

    def raise_if_any(self) -> None:
        """Raise ``SettingsError`` with every fault, in the order of the file."""
        if found := [*self._names.items(), *self._found.items()]:
            raise SettingsError([self._tell(path, text) for path, text in sorted(found, key=self._order)])

    def _order(self, found: tuple[Path, str]) -> tuple[int, tuple[str, ...]]:
        return self._line(found[0]) or 0, tuple(str(name) for name in found[0])

    def _tell(self, path: Path, text: str) -> str:
        line = self._line(path)
        place = self._file if line is None else f"{self._file}:{line}"
        return f"{place}: {dotted(path)}: {blank(text, self._hidden)}"

    @cached_property
    def _lines(self) -> Mapping[Path, int]:
        return lines_of(self._text)

    def _line(self, path: Path) -> int | None:
        """Return the line of the place, or of the nearest thing around it that has one."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return None


def dotted(path: Path) -> str:
    """Write a place as ``destinations.smith-law.timezone`` or ``routes[0].to[1]``."""
    text = ""
    for name in path:
        if isinstance(name, int):
            text += f"[{name}]"
        else:
            text += ("." if text else "") + (name if _BARE.fullmatch(name) else f'"{name}"')
    return text
