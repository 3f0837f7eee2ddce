"""``switchboard deliveries``: look at deliveries; retry, cancel or redeliver them."""

from typing import Any

import click

from deploy import search
from deploy.cli.delivery_actions import cancel, redeliver, retry
from deploy.cli.listing import Listing, delivery_filter, filter_options, listing_options
from deploy.cli.output import emit, json_option, print_fitted
from deploy.cli.rendering import Gates, delivery_line
from deploy.cli.session import Session, with_ledger
from deploy.cli.values import at_zone


@click.group
def deliveries() -> None:
    """Look at deliveries; retry, cancel or redeliver them.

    The key of a delivery is CALL_ID:DESTINATION:ACTION.
    """


deliveries.add_command(retry)
deliveries.add_command(cancel)
deliveries.add_command(redeliver)


@deliveries.command("list")
@filter_options("deliveries")
@listing_options
@json_option
def list_deliveries(*, as_json: bool, **given: Any) -> None:
    """List deliveries, those of the newest calls first.

    --since and --until go by the receipt of the call, for dead ones by when they died. Times are shown in --tz; --json
    has them in UTC.
    """
    listing = Listing.of(given, as_json=as_json)

    async def work(session: Session) -> list[dict[str, Any]]:
        gates, wanted = await Gates.read(session), await delivery_filter(session, given)
        found = search.deliveries(session, wanted, sort=listing.sort, skip=listing.skip)
        return await listing.page_of(delivery_line(record, gates) async for record, _ in found)

    found = with_ledger(work)
    if as_json:
        emit(found)
        return
    rows = [
        [
            line["key"], line["state"], line["reason"], line["attempts"], at_zone(line["due_at"], listing.tz),
            at_zone(line["ended_at"], listing.tz),
        ]
        for line in found
    ]  # fmt: skip
    columns = ("key", "state", "reason", "attempts", "due_at", "ended_at")
    least = ("attempts", "due_at", "ended_at", "reason", "state")
    print_fitted(columns, rows, least=least, empty="There is no such delivery.")
