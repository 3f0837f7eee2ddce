"""The requests and answers that pass between the front and a vendor's stand-in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the vendor sees it."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names without regard to case."""
    body: bytes
    tail: str = ""
    """What the path holds after the fixed part, such as Callcap's phone number."""

    def json(self) -> Any:
        """Read the body as JSON; raises ``ValueError``."""
        return orjson.loads(self.body)

    def fields(self) -> dict[str, Any] | None:
        """Read the body as a JSON object; ``None`` when it is anything else."""
        try:
            value = orjson.loads(self.body)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply: ``body`` is JSON values, or bytes that go out as they stand."""

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def wire(self) -> bytes:
        """Return the bytes of the body."""
        return self.body if isinstance(self.body, bytes) else orjson.dumps(self.body)


Handler = Callable[[Asked], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A path that a vendor serves; ``/{tail}`` at its end stands for any one part."""

    method: str
    path: str
    handler: Handler


def text(fields: Mapping[str, Any], key: str) -> str:
    """Return a value as trimmed text; absent and null are empty."""
    value = fields.get(key)
    return "" if value is None else str(value).strip()


def digits(number: str) -> str:
    """Keep the digits of a phone number."""
    return "".join(filter(str.isdigit, number))
