"""A vendor's reply, read tolerantly: JSON or not, any letter case, slips of the vendors' own documents."""

import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from dataclasses import field
from functools import lru_cache
from typing import Any

from schemas.blanking import blank
from schemas.delivery import Response
from schemas.record import record

_BOM = "\ufeff"
_MARKED = {BOM_UTF8: "utf-8", BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}

DEEPEST = 3
"""How often JSON may be written as a string within JSON."""

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")

_decode = json.JSONDecoder(strict=False).decode  # made once; raw line breaks and tabs inside strings are read

LONGEST_KEY = 64
"""Characters of a key whose normal form is remembered."""

LONGEST_WORDS = 2048
"""Characters of a reply that are kept as the vendor's words (contract, section 6)."""


@record
class Reply:
    """What a vendor said."""

    status: int
    retry_after: str
    """The Retry-After header as it stood; empty when there was none."""
    document: dict[str, Any] | None = field(repr=False)
    """The JSON object with its top keys normalised (``normal``); ``None`` when there is none to read."""
    text: str = field(repr=False)
    """The body as it came; only ``shown`` may leave the process."""
    secrets: tuple[str, ...] = field(repr=False)
    location: str = field(default="", repr=False)
    """Where a redirect points."""

    def shown(self, words: str = "") -> str:
        """Return the vendor's words, else its whole reply, as they may be kept: blanked, at most 2,048 characters.

        Blanked only here, after judging, so that a short key cannot change a verdict.
        """
        kept = blank(words or self.text, self.secrets) or f"HTTP {self.status} without a body"
        return kept[:LONGEST_WORDS]


def read_reply(
    response: Response, *, secrets: tuple[str, ...], repair: Callable[[str], str] = lambda text: text
) -> Reply:
    """Read a response; never fails, whatever the bytes.

    ``repair`` gets the text that is no JSON and may give back one that is. A list stands for its first object.
    """
    text = _text_of(response.body)
    document = _object(text)
    if document is None:
        document = _object(repair(text))
    return Reply(
        status=response.status,
        retry_after=response.headers.get("retry-after", ""),
        document=None if document is None else normal_keys(document),
        text=text,
        secrets=secrets,
        location=response.headers.get("location", ""),
    )


def normal(text: str) -> str:
    """Return a text as it is compared: without case, surrounding blanks, a final full stop (contract, section 6).

    ``Captorrald`` with a small L, a slip of Captorra's own document, is ``CaptorraId``.
    """
    return " ".join(text.split()).removesuffix(".").rstrip().casefold().replace("captorrald", "captorraid")


def normal_keys(document: dict[str, Any]) -> dict[str, Any]:
    """Return the same values under keys without case and surrounding blanks."""
    return {_normal_key(key) if len(key) <= LONGEST_KEY else normal(key): value for key, value in document.items()}


@lru_cache(maxsize=1024)
def _normal_key(key: str) -> str:
    """Normalise one key: those of a vendor's replies are always the same."""
    return normal(key)


def flag_of(value: object) -> bool | None:
    """Read ``true`` and ``false``, also as texts in any case; anything else is ``None``."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(normal(value))
    return value if isinstance(value, bool) else None


def texts_in(value: object) -> list[str]:
    """Return the texts of a value that may be one text, or a list or an object of texts, at any depth."""
    texts: list[str] = []
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text if text.strip():
                texts.append(text.strip())
            case list() as items:
                waiting += reversed(items)
            case dict() as pairs:
                waiting += reversed(pairs.values())
            case _:
                pass
    return texts


def _text_of(body: bytes) -> str:
    """Decode a body by its byte order mark, else as UTF-8."""
    encoding = "utf-8"
    if body[:1] in _MARKS_BEGIN:
        encoding = next((name for mark, name in _MARKED.items() if body.startswith(mark)), encoding)
    return _trimmed(body.decode(encoding, "replace"))


_MARKS_BEGIN = frozenset(mark[:1] for mark in _MARKED)


def _trimmed(text: str) -> str:
    text = text.strip()
    return text.strip(_BOM).strip() if text.startswith(_BOM) else text


def _object(text: str) -> dict[str, Any] | None:
    """Parse one JSON object, or the first object of a list; also one that was written as a JSON string."""
    try:
        value = _load(text)
        for _ in range(DEEPEST - 1):
            if not isinstance(value, str):
                break
            value = _load(_trimmed(value))
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    return value if isinstance(value, dict) else None


def _load(text: str) -> Any:
    value = _decode(text)
    if _SURROGATE.search(text):  # half a character, which can be neither stored nor sent on
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    return value
