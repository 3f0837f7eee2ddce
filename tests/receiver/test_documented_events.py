"""Delacon's two events and our answers, as its document "Live Call Data Push" prints them.

The table of docs/documents.md names these tests; tests/test_documents.py changes all texts in one copy of the
receiver and expects every test to fail, so each looks at one text only.
"""

from pathlib import Path

import pytest

from schemas.delacon.events import parse_record
from tests.receiver.scripted import TOKEN

DATA = Path(__file__).parents[1] / "schemas/data"


@pytest.mark.parametrize(
    ("path", "kind", "key", "value"),
    [
        ("/services/calldata/create", "s", "PLA_Caller_Phone_Number", "+61444444444"),
        ("/services/calldata/update", "e", "PLA_RecordingFile", "https://pla.delaconcorp.com......abc.wav"),
    ],
    ids=("create", "update"),
)
async def test_each_event_has_its_address(*, client, receiver, path: str, kind: str, key: str, value: str):
    """The document's own samples, byte for byte; that of the end has a comma too many and a blank before the link."""
    body = (DATA / f"delacon_{path.rpartition('/')[2]}.json").read_bytes()
    async with client.post(f"{receiver.url}{path}?token={TOKEN}", data=body) as response:
        assert 200 == response.status

    [record] = receiver.ledger.events["1122334"]
    stored_kind, values = parse_record(record)
    assert (kind, value) == (stored_kind, values[key])


async def test_a_stored_event_is_a_success(client, receiver):
    """Said with a text, as printed."""
    body = (DATA / "delacon_create.json").read_bytes()
    async with client.post(f"{receiver.url}/services/calldata?token={TOKEN}", data=body) as response:
        assert "true" == (await response.json())["success"]


async def test_a_refused_event_is_none(client, receiver):
    """Said with a text, as printed."""
    async with client.post(f"{receiver.url}/services/calldata?token={TOKEN}", data=b"{") as response:
        assert "false" == (await response.json())["success"]


async def test_a_refusal_says_why(client, receiver):
    """The reason has a key of its own."""
    async with client.post(f"{receiver.url}/services/calldata?token={TOKEN}", data=b"{") as response:
        assert "not JSON" in (await response.json())["error"]
