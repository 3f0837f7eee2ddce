"""A change that a visitor proposes: its fields, the question before it, and its result."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

_FASTEST: Final = 10_000.0  # a second


class Refused(Exception):
    """Raised when a change cannot be made; its text is for the visitor."""

    def __init__(self, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a change."""

    text: str
    count: int = 0
    ok: bool = True
    place: str = ""
    """Where to go now; empty: back."""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change that may be made, and the question before it."""

    question: str
    button: str
    run: Callable[[], Awaitable[Outcome]]
    warning: str = ""
    danger: bool = False
    asks: bool = True
    """Whether a page asks first; a test, which changes nothing, is made at once."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What was sent with a change: names with one text or several."""

    values: Mapping[str, Sequence[str]]

    def one(self, name: str, *, most: int = 200) -> str:
        """Return a field's text, trimmed; empty when it was not sent."""
        texts = self.values.get(name) or ("",)
        return texts[0].strip()[:most]

    def needed(self, name: str) -> str:
        """Return a field's text; raises ``Refused`` when it was not sent."""
        text = self.one(name)
        if not text:
            raise Refused(f"The field {name} is missing.")
        return text

    def rate(self) -> float | None:
        """Return how many a second are wanted; ``None``: as many as go."""
        text = self.one("rate").removesuffix("/s").strip()
        if not text:
            return None
        try:
            rate = float(text)
        except ValueError:
            rate = 0.0
        if not 0.0 < rate <= _FASTEST:
            raise Refused("The rate must be a number of deliveries a second, such as 5.")
        return rate


def fields_of(form: Mapping[str, Any], getall: Callable[[str], Sequence[Any]]) -> Fields:
    """Read a form; files are none of a change's fields."""
    return Fields({name: [one for one in getall(name) if isinstance(one, str)] for name in form})


def refused(refusal: Refused) -> web.HTTPException:
    """Return the answer to a change that cannot be made."""
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest, 403: web.HTTPForbidden, 404: web.HTTPNotFound, 409: web.HTTPConflict,
        429: web.HTTPTooManyRequests,
    }  # fmt: skip
    return kinds[refusal.status](text=str(refusal))
