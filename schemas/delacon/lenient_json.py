"""JSON objects read as texts: every value as its sender wrote it, and small slips of the sender mended."""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

import orjson

# No possessive quantifiers: the first Pythons that know them, 3.11.0 to 3.11.3, lose captures behind them.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*'
# A string, kept, or a trailing comma, dropped. The closing quote is optional, so that an unterminated string is passed
# once: every alternative succeeds where it begins, nothing backtracks, and the pass is linear.
_STRING_OR_TRAILING_COMMA = re.compile(rb"(" + _STRING + rb'"?)|,(?=[ \t\r\n]*[}\]])', re.DOTALL)
_TOKEN = re.compile(_STRING + rb'"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_HEX = rb"[0-9a-fA-F]"
_LONE_SURROGATE = re.compile(
    rb"(\\u[dD][89abAB]" + _HEX + rb"{2}\\u[dD][c-fC-F]" + _HEX + rb"{2}|\\[^u])|\\u[dD][89a-fA-F]" + _HEX + rb"{2}"
)
_BLANKS = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_DEEPEST = 512  # containers within each other: each version of Python reads as many, 3.11 hardly more
_UTF_16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_CONTROL = re.compile(rb"[\x00-\x1f]")
# A backslash before one is no escape, and stays none.
_RAW_CONTROL = re.compile(rb"(\\.)|[\x00-\x1f]", re.DOTALL)
_ANY_STRING = re.compile(_STRING + rb'"?', re.DOTALL)

DEEPEST = 3
"""How often JSON may be written as a string within JSON."""


def read_object(body: bytes, *, deepest: int = DEEPEST) -> tuple[dict[str, str], set[str]]:
    """Read a JSON object as key to trimmed text; ``""`` and ``null`` are left out.

    Numbers and booleans become their JSON text exactly as sent (``1.10`` stays ``1.10``), objects and arrays their
    compact JSON. Of a doubled key the last stands. Mended: trailing commas, a byte order mark, half a surrogate pair,
    raw tabs and line breaks inside strings, an object that was written as a JSON string.
    Returns also the keys whose values were booleans, objects or arrays.
    Raises ``ValueError`` when the bytes are not JSON, ``TypeError`` when the JSON is not an object.
    """
    text = _without_last_comma(body)
    try:
        loaded = orjson.loads(text)
    except ValueError:
        text = _mend(body)
        try:
            loaded = orjson.loads(text)
        except ValueError:
            # orjson takes no number beyond a double, which JSON allows.
            loaded = _load_with_huge_numbers(text)
            if isinstance(loaded, dict):
                return _read_exactly(text)
            raise TypeError("not an object") from None
    if type(loaded) is not dict:
        return _read_inner(loaded, deepest=deepest - 1)
    try:
        # Nearly every event holds strings alone.
        return {key: trimmed for key, value in loaded.items() if (trimmed := value.strip())}, set()
    except AttributeError:
        pass
    texts: dict[str, str] = {}
    odd: set[str] = set()
    for key, value in loaded.items():
        if type(value) is str:
            if trimmed := value.strip():
                texts[key] = trimmed
        elif value is None:
            continue
        elif value is True or value is False:
            texts[key] = "true" if value else "false"
            odd.add(key)
        elif type(value) is int and value != 0:
            texts[key] = str(value)
        else:
            # A float, a container, or -0: the parsed value no longer tells how it was written.
            return _read_exactly(text)
    return texts, odd


def _read_inner(loaded: Any, *, deepest: int) -> tuple[dict[str, str], set[str]]:
    """Read the object that a JSON string holds; anything else is not an object."""
    if isinstance(loaded, str) and deepest > 0:
        try:
            return read_object(loaded.strip().encode(), deepest=deepest)
        except ValueError:
            pass
    raise TypeError("not an object")


def _without_last_comma(body: bytes) -> bytes:
    """Drop a comma before the last brace: every end that Delacon documents has one, and this saves a failed parse.

    Should that comma stand in a string after all, so does the brace, and the body is no JSON with it or without.
    """
    trimmed = body.rstrip(_BLANKS)
    if trimmed.endswith(b"}") and (head := trimmed[:-1].rstrip(_BLANKS)).endswith(b","):
        return head[:-1] + b"}"
    return body


def _mend(body: bytes) -> bytes:
    """Mend the slips that ``read_object`` names, each in one linear pass."""
    encoding = _UTF_16.get(body[:2])
    if encoding is not None:
        body = body[2:].decode(encoding, "replace").encode()
    body = _STRING_OR_TRAILING_COMMA.sub(rb"\1", body.removeprefix(_BOM))
    if _CONTROL.search(body):
        body = _ANY_STRING.sub(_escape_controls, body)
    if b"\\u" in body:
        body = _LONE_SURROGATE.sub(lambda match: match[1] or b"\\ufffd", body)
    return body


def _escape_controls(string: re.Match[bytes]) -> bytes:
    """Write the raw control characters of a string as escapes."""
    if _CONTROL.search(string[0]) is None:
        return string[0]
    return _RAW_CONTROL.sub(lambda found: found[1] or b"\\u%04x" % found[0][0], string[0])


def _load_with_huge_numbers(body: bytes) -> Any:
    try:
        loaded = json.loads(body.decode(), parse_int=str, parse_float=str, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    level, depth = [loaded], 0
    while level := [child for one in level for child in _children(one)]:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError("nested too deep")
    return loaded


def _children(value: Any) -> Iterable[Any]:
    """Return what a container holds; nothing of another value."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_exactly(body: bytes) -> tuple[dict[str, str], set[str]]:
    """Read a body known to be a JSON object token by token, which keeps the text of every number."""
    texts: dict[str, str] = {}
    odd: set[str] = set()
    key: str | None = None
    value: list[bytes] = []
    depth = 0
    for token in [*_TOKEN.findall(body)[1:-1], b","]:
        if depth == 0 and token == b",":
            if key is not None:
                texts[key] = _text_of(value)
                (odd.add if value[0] in {b"true", b"false", b"{", b"["} else odd.discard)(key)
            key, value = None, []
        elif key is None:
            key = orjson.loads(token)
        elif depth or token != b":":
            depth += (token in {b"{", b"["}) - (token in {b"}", b"]"})
            value.append(token)
    return {key: text for key, text in texts.items() if text}, odd


def _text_of(tokens: list[bytes]) -> str:
    if len(tokens) > 1:
        return b"".join(_shortest(token) for token in tokens).decode()
    token = tokens[0]
    if token.startswith(b'"'):
        text: str = orjson.loads(token)
        return text.strip()
    return "" if token == b"null" else token.decode()


def _shortest(token: bytes) -> bytes:
    """Write a string token without needless escapes, so that two spellings of one text are equal."""
    return orjson.dumps(orjson.loads(token)) if b"\\" in token else token
