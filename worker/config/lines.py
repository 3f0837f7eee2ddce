"""The lines of a TOML document: tomllib gives values only, and a fault should name its line."""

import re
import tomllib
from collections import Counter

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
    """Give the line, from 1, of every table header and key of a valid TOML document.

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
    """Give the position after the line end that is in no text, array or inline table."""
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
