"""The digits of a phone number, taken out of what exchanges, people and spreadsheets write around them."""

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote

_KEYS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
_WORDS = (
    "anonymous", "unavailable", "restricted", "private", "withheld", "unknown", "blocked", "suppressed", "hidden",
    "privatenumber", "unknownnumber", "unknowncaller", "outofarea",
)  # fmt: skip
_NANP = 10
_ON_KEYS = frozenset(word.translate(_KEYS) for word in _WORDS)
PLACEHOLDERS = _ON_KEYS | {f"1{keys}" for keys in _ON_KEYS if len(keys) != _NANP}
"""What exchanges make of a word on a keypad, some with a 1 before it: 266696687 is ANONYMOUS, 7378742833 RESTRICTED.

A few are numbers of somebody as well when they are written without a country, such as 94844353 in Singapore."""

_PLAIN = re.compile(r"\+?\(?[0-9][0-9 ()-]*")
_NO_DIGITS = str.maketrans("", "", "+ ()-")
_SCHEME = re.compile(r"(?:tel|callto|sips?):(?://)?", re.IGNORECASE)
_IN_BRACKETS = re.compile(r"<([^<>]*)>")
_CONTEXT = re.compile(r";phone-context=(\+[\d.()-]*)", re.IGNORECASE)
_WITHHELD = re.compile(r"\W*(?:anonymous|withheld|restricted)\b|.*@anonymous\.invalid", re.IGNORECASE)
_USER = re.compile(r"[+\d\s().-]*")
_THOUSANDS = re.compile(r"(\+?\d{1,3}(?:[,'\u2019]\d{2,3})*[,'\u2019]\d{3})(?:\.0+)?")  # in India 98,76,54,321
_FRACTION = re.compile(r"(\+?\d+)[.,](\d+)")
_LONG_ENOUGH = 7  # digits before a point: those of a whole number, not of an area
_SHORT_FRACTION = 2
_BEGINNING = re.compile(r"[^\d+]*(00\s*(?=\+))?([+\s(]*\+[+\s(]*)?")
_BODY = re.compile(r"[\d\s()./\u2010-\u2015\u2212-]*")
_BREAK = re.compile(r"[;,#x|&<]|ext", re.IGNORECASE)
_SPELT = re.compile(r"[\da-z\s().-]*[a-z][\da-z\s().-]*", re.IGNORECASE)
_LEAST_LETTERS = 3


@dataclass(frozen=True, slots=True)
class Written:
    """The digits that were written."""

    digits: str
    plus: bool
    plain: bool = False
    """Nothing but digits, a plus sign before them, and blanks, hyphens and brackets between them was there."""
    whole: bool = True
    """False: something follows the digits, so they are a number only when they are a valid one."""
    spelt: bool = False
    """Letters stood for some of the digits."""
    otherwise: "Written | None" = None
    """What the text says when this is no number."""


def read_written(text: str) -> Written | None:
    """Return the digits of a text.

    ``None`` when there are none, when they are a placeholder, or when a spreadsheet has spoilt them: an exponent, a
    fraction other than ``.0``.
    """
    stripped = text.strip()
    if _PLAIN.fullmatch(stripped):
        digits = stripped.translate(_NO_DIGITS)
        return _written(digits, plus=stripped[0] == "+", plain=True)
    bare = _unwrapped(_simple(stripped))
    bare = _whole_number(bare) if bare is not None else None
    return _taken_apart(bare) if bare is not None else None


def mask_digits(text: str) -> str:
    """Return a text with ``#`` for every digit, for a note: its form tells what is wrong with it, and calls nobody."""
    shown = "".join("#" if character.isnumeric() else character for character in text[:60])
    return "".join(character if character.isprintable() else " " for character in shown)


def _simple(text: str) -> str:
    """Return a text in plain characters: full-width and other digits as ours, without marks of direction."""
    plain = unicodedata.normalize("NFKC", text)
    kept = (character for character in plain if unicodedata.category(character) not in {"Cf", "Cc"})
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in kept).strip()


def _unwrapped(text: str) -> str | None:
    """Take off ``="..."``, quotation marks, ``tel:`` and what surrounds the user of a SIP address."""
    text = text.removeprefix("=").strip().strip("\"'").strip()
    if _WITHHELD.match(text):
        return None
    if found := _IN_BRACKETS.search(text):
        text = found[1].strip()
    if "%" in text:
        text = unquote(text)
    scheme = _SCHEME.match(text)
    context = _CONTEXT.search(text)
    text = text[scheme.end() :] if scheme else text
    if "@" in text or (scheme and scheme[0][:3].lower() == "sip"):
        user = text.partition("@")[0].partition(";")[0].partition(":")[0].strip()
        return user if _USER.fullmatch(user) else None
    return f"{context[1]} {text.partition(';')[0]}" if context and not text.startswith("+") else text


def _whole_number(text: str) -> str | None:
    """Take off what a spreadsheet adds to a whole number; ``None`` for a fraction."""
    if grouped := _THOUSANDS.fullmatch(text):
        return ("+" if text[0] == "+" else "") + _digits(grouped[1])
    fraction = _FRACTION.fullmatch(text)
    if fraction is None:
        return text
    before, after = fraction[1], fraction[2]
    long = len(before.lstrip("+")) >= _LONG_ENOUGH
    if not after.strip("0") and (long or len(after) <= _SHORT_FRACTION):
        return before
    # No number of a spreadsheet begins with a zero or a plus sign: 02.88889999 and +61.491570156 are people's.
    return before + after if not long and before[0] in "+0" else None


def _taken_apart(text: str) -> Written | None:
    beginning = _BEGINNING.match(text)
    if text[:1] in {"*", "#"} or beginning is None:  # such as *67, or #NUM!
        return None
    plus, text = bool(beginning[2]), text[beginning.end() :]
    body = _BODY.match(text)
    digits, rest = (_digits(body[0]), text[body.end() :]) if body else ("", "")
    if not body or not digits:
        return None
    if not any(character.isalnum() or character == "+" for character in rest):
        return _written(digits, plus=plus)
    spelt = _spelt(text, plus=plus)
    # A letter right behind a digit makes no number of it: an O for a zero, or the exponent of a spreadsheet.
    if body[0].rstrip("(")[-1:].isspace() or rest[0] == "+" or _BREAK.match(rest):
        return _written(digits, plus=plus, whole=False, otherwise=spelt)
    return spelt


def _spelt(text: str, *, plus: bool) -> Written | None:
    """Return a number in which letters stand for digits, such as 1-800-FLOWERS."""
    letters = sum(character.isalpha() for character in text)
    if letters < _LEAST_LETTERS or not text.isascii() or not _SPELT.fullmatch(text):
        return None
    return Written(_digits(text.lower().translate(_KEYS)), plus, whole=False, spelt=True)


def _written(
    digits: str, *, plus: bool, plain: bool = False, whole: bool = True, otherwise: Written | None = None
) -> Written | None:
    if plus and digits.startswith("00"):
        digits, plain = digits[2:], False  # no country's code begins with a zero
    if not digits or digits in PLACEHOLDERS:
        return None
    return Written(digits, plus, plain, whole, otherwise=otherwise)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())
