"""The sample's look at Callcap: a search, which costs nothing and changes nothing."""

from schemas.callcap.requests import RequestState
from tasks.callcap.exchange import search
from worker.config.settings import CallcapSettings
from worker.http.client import HttpClient

AREA_CODE = "316"


async def search_line(account: CallcapSettings) -> str:
    """Search for numbers of one area and say what was found."""
    async with HttpClient.open() as http:
        found = await search(account, {"areaCode": AREA_CODE}, http=http)
    if found.state is not RequestState.DONE:
        return f"Callcap gave no numbers for area code {AREA_CODE}: {found.words or found.reason}"
    examples = ", ".join(found.numbers[:2])
    return f"Callcap offers {len(found.numbers)} numbers of area code {AREA_CODE}: {examples} ..."
