"""The table of replies: each row by our client, with a next delivery behind it, and by curl."""

from dataclasses import replace

import pytest

from schemas.captorra import SPEC
from tests.destinations import make_destination, make_order
from tests.worker.http.naive import NaiveClient
from tests.worker.http.reply_rows import KEPT, NEW
from tests.worker.http.reply_table import ROWS, curls_outcome, run


@pytest.fixture
def order(make_call):
    """Return the order of a delivery to Captorra."""
    return make_order(make_call(), make_destination(SPEC))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_reply_comes_to_what_the_table_says(http, order, row):
    """The next delivery gets its own answer, on the same connection only where nothing is left on it.

    The row can fail: with anything else in a column it is reported.
    """
    seen = await run(row, http, order)

    assert [] == seen.faults(row)
    assert 1 == len(seen.faults(replace(row, outcome="held unauthorized")))
    assert 1 == len(seen.faults(replace(row, next_on=NEW if row.next_on == KEPT else KEPT)))
    assert 1 == len(replace(seen, next_outcome="delivered").faults(row))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_curl_reads_the_same_or_the_row_says_why_not(order, row):
    """A reading of ours that is not curl's has a reason, and a reason stands only where they differ."""
    assert bool(row.curl) == bool(row.why)
    assert row.curl != row.outcome
    assert (row.curl or row.outcome) == await curls_outcome(row, order)


async def test_the_table_finds_a_client_that_trusts_its_connections(order):
    """A client that reads what is on its connection takes the strays; the table names these and many more."""
    names = set()
    for row in ROWS:
        client = NaiveClient()
        seen = await run(replace(row, timeout_s=min(row.timeout_s, 0.4)), client, order)
        client.close()
        if seen.faults(row):
            names.add(row.name)

    assert {"a second reply at once, behind a refusal", "a second reply a moment later", "line feeds alone"} <= names
    assert {"a header of 9,000 bytes", "the same length twice", "100 before the reply", "chunks", "gzip"} <= names
    assert "an ordinary reply" not in names
    assert len(ROWS) >= 60
