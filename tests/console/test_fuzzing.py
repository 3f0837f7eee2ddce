"""Schemathesis asks the API what its document allows, and what it does not: no 500, and every answer as described."""

import asyncio
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.console.conftest import PASSWORD, Console
from tests.console.test_changes import died

REQUESTS = 2_000
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip


def ask(base: str) -> dict[str, int]:
    """Ask every operation about as often, half of it with values that the document forbids; count by operation."""
    with requests.Session() as session:
        session.post(f"{base}/login", data={"name": "ann", "password": PASSWORD}, timeout=10)
        token = session.get(f"{base}/api/v1/session", timeout=10).json()["form_token"]
        schema = schemathesis.openapi.from_dict(session.get(f"{base}/api/v1/openapi.json", timeout=10).json())
        operations: list[Any] = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
        each = -(-REQUESTS // len(operations) // 2)
        asked: dict[str, int] = {}
        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _ask_one(operation, mode, each, asked, session=session, base=base, token=token)
    return asked


def _ask_one(
    operation: Any, mode: GenerationMode, each: int, asked: dict[str, int], *, session: requests.Session, base: str,
    token: str,
) -> None:  # fmt: skip
    try:
        cases = operation.as_strategy(generation_mode=mode)
    except Exception:  # noqa: BLE001  what takes nothing cannot be asked wrongly
        return

    @seed(17)
    @settings(
        max_examples=each, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases)
    def run(case: Any) -> None:
        asked[operation.label] = asked.get(operation.label, 0) + 1
        response = case.call(base_url=base, session=session, headers={"X-Form-Token": token}, timeout=20)
        case.validate_response(response, checks=CHECKS)

    run()


@pytest.mark.load
@pytest.mark.filterwarnings("default")  # of schemathesis' own
async def test_no_request_breaks_the_api(console: Console) -> None:
    """2,000 requests to all operations, a ledger with something of everything behind them."""
    await died(console, "one", "two")
    await console.book.call("whole")
    await console.session.ledger.quarantine(b"<b>", reason="not JSON", path_kind="create", received_us=1)

    asked = await asyncio.to_thread(ask, console.base)

    print(f"\n{sum(asked.values()):,} requests to {len(asked)} operations")
    assert sum(asked.values()) >= REQUESTS * 0.9
