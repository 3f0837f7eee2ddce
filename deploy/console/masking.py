"""The masking of callers for viewers: enough digits to tell two apart, not enough to ring one."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.delacon.call_keys import CALLER
from worker.redaction import NUMBER_NAMES, mask_number, mask_text

_NUMBERED = {name.casefold() for name in (*NUMBER_NAMES, CALLER, "PLA_Answering_Point", "answering_point")}
_BETWEEN = r"[\s().\-/+]*"
_LEAST_DIGITS = 6


class Mask:
    """Masks one call's numbers wherever they stand, in whatever form they are written."""

    def __init__(self, numbers: Iterable[str]) -> None:
        digits = {"".join(filter(str.isdecimal, number)) for number in numbers}
        # A number without its country's code or its trunk prefix is still that number.
        tails = {tail for text in digits for tail in (text, text[1:], text[2:], text[3:]) if len(tail) >= _LEAST_DIGITS}
        forms = sorted(tails, key=len, reverse=True)
        self._found = re.compile("|".join(rf"\+?{_BETWEEN.join(form)}" for form in forms)) if forms else None

    def text(self, text: str) -> str:
        """Mask the numbers in a text."""
        return self._found.sub(lambda match: mask_number(match[0]), text) if self._found else text

    def value(self, value: Any) -> Any:
        """Mask a JSON value: whatever is named as a number, and the numbers in all other texts."""
        match value:
            case dict():
                return {
                    name: mask_number(str(one)) if name.casefold() in _NUMBERED and one else self.value(one)
                    for name, one in value.items()
                }
            case list():
                return [self.value(one) for one in value]
            case str():
                return self.text(value)
            case _:
                return value


def masked_call(shape: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's shape (contract, section 8) with its numbers masked."""
    call = shape["call"]
    written = [event["values"].get(name, "") for event in shape["events"] for name in (CALLER, "PLA_Answering_Point")]
    numbers = [
        call.get("caller_digits", ""),
        call.get("caller_national", ""),
        call.get("answering_point", ""),
        *written,
    ]
    masked: dict[str, Any] = Mask(filter(None, numbers)).value(dict(shape))
    return masked


def masked_line(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of a listing with its numbers masked, those in a vendor's words too."""
    return {
        name: mask_number(str(value)) if name in NUMBER_NAMES and value
        else mask_text(value) if name == "words" and isinstance(value, str) else value
        for name, value in line.items()
    }  # fmt: skip
