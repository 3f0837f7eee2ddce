"""The table of replies: each row by our client, with a next delivery behind it, and by curl."""

from dataclasses import replace

import pytest

from schemas.captorra import SPEC
from tests.destinations import make_destination, make_order
from tests.worker.http_client.naive import NaiveClient
from tests.worker.http_client.reply_rows import KEPT, NEW, Row
from tests.worker.http_client.reply_table import ROWS, curls_faults, faults_of


@pytest.fixture
def order(make_call):
    """Give the order of a delivery to Captorra."""
    return make_order(make_call(), make_destination(SPEC))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_reply_comes_to_what_the_table_says(http, order, row):
    """And the next delivery gets its own answer, on the same connection only where nothing is left on it."""
    assert [] == await faults_of(row, http, order)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_curl_reads_the_same_or_the_row_says_why_not(order, row):
    """A reading of ours that is not curl's has a reason."""
    assert bool(row.curl) == bool(row.why)
    assert [] == await curls_faults(row, order)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_each_row_can_fail(http, order, row):
    """A row that expects anything else is reported, in each of its columns."""
    other = "held unauthorized"  # which is in no row
    wrong = replace(row, outcome=other, next_on=NEW if row.next_on == KEPT else KEPT, curl=other)

    assert 2 == len(await faults_of(wrong, http, order))
    assert 1 == len(await curls_faults(wrong, order))


async def test_the_table_finds_a_client_that_trusts_its_connections(order):
    """A client that reads what is on its connection takes the strays; the table names these and many more."""
    found = [row for row in ROWS if await faults_of_naive(row, order)]

    names = {row.name for row in found}
    assert {"a second reply at once, behind a refusal", "a second reply a moment later", "line feeds alone"} <= names
    assert {"a header of 9,000 bytes", "the same length twice", "100 before the reply", "chunks", "gzip"} <= names
    assert len(ROWS) >= 60
    assert "an ordinary reply" not in names


async def faults_of_naive(row: Row, order) -> list[str]:
    """Run a row by a client of the simplest kind."""
    client = NaiveClient()
    try:
        return await faults_of(replace(row, timeout_s=min(row.timeout_s, 0.4)), client, order)
    finally:
        client.close()
