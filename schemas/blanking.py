"""Blanking of secrets in texts that are kept or shown."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from schemas.destination import VendorSpec

BLANK = "[blanked]"
_SCHEMES = ("basic ", "bearer ")


def secrets_of(spec: VendorSpec, options: Any) -> tuple[str, ...]:
    """Return the secret values of a destination's options, without the scheme that may stand before a key."""
    values: list[str] = []
    for name in spec.secret_options:
        value = getattr(options, name)
        found = value.values() if isinstance(value, Mapping) else [value]
        values += [_bare(text) for text in found if text]
    return tuple(values)


def blank(text: str, secrets: Iterable[str]) -> str:
    """Replace every secret in ``text``, also where it stands URL-quoted or escaped as JSON."""
    pattern = _pattern(tuple(secrets))
    return text if pattern is None else pattern.sub(BLANK, text)  # one pass: what was blanked stays as it is


@lru_cache(maxsize=256)  # destinations
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    forms: set[str] = set()
    for secret in secrets:
        escaped = json.dumps(secret)[1:-1]
        forms |= {secret, escaped, escaped.replace("/", "\\/"), quote(secret, safe=""), quote(secret)}
    longest_first = sorted(forms - {""}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _bare(key: str) -> str:
    """Take the scheme off, so that the key is found with and without it."""
    for scheme in _SCHEMES:
        if key.casefold().startswith(scheme):
            return key[len(scheme) :].strip()
    return key
