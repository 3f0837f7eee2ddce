"""What the stand-ins hold: the vendors' side of the story, to be set against the ledger's."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from schemas.call import Call
from schemas.destination import Destination

_LOOK = aiohttp.ClientTimeout(total=5)

Records = Mapping[str, Sequence[Mapping[str, Any]]]


async def records_of(url: str, session: aiohttp.ClientSession) -> Records:
    """Read every record of the stand-ins by vendor; empty when they do not answer, as while they start again."""
    try:
        async with session.get(f"{url}/control/records", timeout=_LOOK) as reply:
            found: Records = await reply.json()
            return found
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return {}


def count_landed(call: Call, destination: Destination, records: Records) -> int:
    """Count the records that a call has at a destination's stand-in: 1 when it landed once.

    Callers are recognised by their digits whatever the form, and a withdrawn lead does not count.
    """
    kept = records.get(destination.vendor, ())
    match destination.vendor:
        case "captorra":
            account = str(destination.options.captorra_id)
            return sum(record["id"] == call.call_id and record["account"] == account for record in kept)
        case "comunik8":
            type_ = destination.options.type
            leads = [record for record in kept if record["account"] == type_ and record["state"] != "cancelled"]
            return sum(_is_caller(call, record["values"].get("mobile")) for record in leads)
        case _:
            return sum(_is_caller(call, record["values"].get("phone")) for record in kept)


def _is_caller(call: Call, number: object) -> bool:
    """Say whether a number in any form is the caller's: its digits without trunk zeros end E.164's."""
    digits = "".join(filter(str.isdigit, str(number))).lstrip("0")
    return bool(digits and call.caller_digits and call.caller_digits.endswith(digits))
