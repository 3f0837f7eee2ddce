"""``{name}`` templates over a call; nothing is evaluated."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from schemas.call import CANONICAL

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: literal texts and names in turn."""

    source: str
    parts: tuple[tuple[bool, str], ...] = field(repr=False)
    """Pairs of (is a name, text)."""
    name: str = field(default="", repr=False)
    """The only name, where the template is nothing else, as in nearly every mapping; else empty."""

    @classmethod
    def parse(cls, source: str) -> "Template":
        """Parse a template (contract, section 4).

        A name is canonical or any raw ``PLA_*`` key. Raises ``ValueError`` on an unknown name or a lone brace.
        """
        parts = _parts(source)
        return cls(source, parts, parts[0][1] if len(parts) == 1 and parts[0][0] else "")

    def render(self, value_of: Callable[[str], str]) -> str:
        """Fill in the names, usually by ``call.text``; an absent value gives empty text."""
        if self.name:
            return value_of(self.name)
        return "".join([value_of(text) if is_name else text for is_name, text in self.parts])


@lru_cache(maxsize=1024)
def _parts(source: str) -> tuple[tuple[bool, str], ...]:
    """Return ``Template.parts``; a thousand destinations have the templates of a few vendors."""
    parts: list[tuple[bool, str]] = []
    position = 0
    for token in _TOKEN.finditer(source):
        if token.start() > position:
            parts.append((False, source[position : token.start()]))
        position = token.end()
        text = token.group()
        if text in {"{{", "}}"}:
            parts.append((False, text[0]))
        elif token.group(1) is None:
            raise ValueError(f"a lone {text!r}; write {text * 2!r} for a literal one")
        elif token.group(1) in CANONICAL or token.group(1).startswith("PLA_"):
            parts.append((True, token.group(1)))
        else:
            raise ValueError(f"unknown name {{{token.group(1)}}}")
    if position < len(source):
        parts.append((False, source[position:]))
    return tuple(parts)
