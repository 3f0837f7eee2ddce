"""Fakes at seams that we own: the vendor's HTTP; the ledger is never faked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.delivery import Request, Response

Answer = Response | Exception | Callable[[Request], Response]
"""A reply, an error to raise, or a function that makes the reply to a request."""


def reply(body: str | bytes = b'{"success": true}', status: int = 200, **headers: str) -> Response:
    """Make a reply; ``retry_after="5"`` is a header."""
    raw = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, headers=named, body=raw, elapsed_ms=5)


@dataclass
class FakeHttp:
    """An ``Http`` that answers from a script, then with ``always``, and records what it was asked.

    With ``gate`` set, every request hangs until the gate is open; ``arrived`` tells of each that hangs.
    """

    script: list[Answer] = field(default_factory=list)
    always: Answer = field(default_factory=reply)
    gate: asyncio.Event | None = None
    requests: list[Request] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    under_way: int = 0
    most_under_way: int = 0

    async def send(self, request: Request, *, timeout_s: float) -> Response:
        """Answer as scripted."""
        assert timeout_s > 0
        self.requests.append(request)
        answer = self.script.pop(0) if self.script else self.always
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            async with self.arrived:
                self.arrived.notify_all()
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.under_way -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Response) else answer(request)

    async def hanging(self, count: int) -> None:
        """Wait until so many requests are under way."""
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: self.under_way >= count)
