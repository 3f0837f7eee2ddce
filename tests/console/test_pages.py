"""What the pages show, and to whom."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from deploy.console.rendering import plain
from tests.cli.conftest import CALLER
from tests.console.conftest import Console, Start
from worker.build import LEDGER_FORMAT
from worker.ledger import admin
from worker.ledger.records import Verdict
from worker.ledger.schema import note

DIGITS = CALLER.lstrip("+")
NATIONAL = "0491570156"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "{{7*7}}{% debug %}",
    "javascript:alert(1)",
    "\u202egnp.exe",
    "\x1b[31mred\x1b[0m",
    "&lt;b&gt;",
    "</title><script>alert(1)</script>",
    "long" * 2500,
)


async def test_an_empty_ledger_says_what_to_do_first(console: Console) -> None:
    """Without any call the first page names the two addresses to enter at Delacon."""
    browser = await console.browser("ann")

    await browser.get("/")

    assert "/services/calldata/create" in browser.last
    assert "/services/calldata/update" in browser.last


@pytest.mark.parametrize("path", ["/", "/calls", "/destinations", "/destinations/law", "/dead", "/suppressed"])
async def test_a_page_of_nothing_is_a_page(console: Console, path: str) -> None:
    """Each page has something to say where there is nothing to show."""
    browser = await console.browser("ann")

    await browser.get(path)

    text = html.unescape(re.sub(r"<[^>]+>", " ", browser.last.split("<main", 1)[1]))
    assert len(text.split()) > 5


async def test_a_call_is_found_and_its_story_told(console: Console) -> None:
    """By id, by the caller's number in any form and by its last digits one comes to the call, and reads its fate."""
    await console.book.call("story-1", result="Unanswered")
    await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply="Please provide surname")
    browser = await console.browser("ann")

    for text in ("story-1", "story", CALLER, "0491 570 156", "570156"):
        await browser.get("/calls", params={"q": text})
        assert "/calls/story-1" in browser.last, text
    await browser.get("/calls", params={"q": "570157"})
    assert "/calls/story-1" not in browser.last

    await browser.get("/calls/story-1")
    assert "Given up for dialler" in browser.last
    assert "Please provide surname" in browser.last
    assert "Delacon told us of the whole call" in browser.last
    assert CALLER in browser.last


async def test_calls_are_sifted(console: Console) -> None:
    """State, destination, service and result each leave out what does not fit."""
    await console.book.call("answered", PLA_Dealer_Name="Smith Law")
    await console.book.call("missed", result="Unanswered", PLA_Dealer_Name="Jones Motors")
    await console.book.call("open", result=None)
    browser = await console.browser("ann")

    for query, left in (
        ("result=answered", {"answered"}),
        ("destination=dialler", {"missed"}),
        ("service=smith", {"answered"}),
        ("state=waiting", {"open"}),
        ("", {"answered", "missed", "open"}),
    ):
        await browser.get(f"/calls?{query}")
        assert left == set(re.findall(r'href="/calls/(\w+)"', browser.last)), query


async def test_pages_of_calls_are_links(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """120 calls are three pages, each of which leads to the older one; every call stands on one of them."""
    monkeypatch.setattr("deploy.console.call_finder.LOOK_S", 30.0)  # no page ends early for a busy machine
    for number in range(120):
        await console.book.call(f"c{number:03}", result=None)
        await asyncio.sleep(0.001)  # a page ends between two milliseconds
    browser = await console.browser("ann")

    path, seen, pages = "/calls", list[str](), 0
    while path:
        await browser.get(path)
        seen += re.findall(r'href="/calls/(c\d+)"', browser.last)
        pages += 1
        following = re.search(r'href="([^"]+)" rel="next"', browser.last)
        path = html.unescape(following[1]) if following else ""

    assert sorted(seen) == [f"c{number:03}" for number in range(120)]
    assert pages == 3


async def test_a_viewer_sees_no_number(console: Console) -> None:
    """On no page and in no answer of the API does a viewer find the caller's number, in any form."""
    await console.book.call("masked", result="Unanswered")
    await console.book.end(
        "dialler", Verdict.DEAD, reason="rejected", reply=f"lead {NATIONAL} and {DIGITS} and +61 491 570 156 refused"
    )
    await admin.suppress(console.session.ledger, CALLER)
    await console.session.ledger.quarantine(
        CALLER.encode(), reason="not JSON", path_kind="create", received_us=1_772_452_800_000_000
    )
    browser, operator = await console.browser("vic"), await console.browser("ann")

    places = ["/", "/calls", "/calls/masked", f"/calls?q={DIGITS}", "/dead", "/suppressed", "/quarantine"]
    places += [f"/api/v1{path}" for path in ("/calls", "/calls/masked", "/dead", "/deliveries")]
    for path in places:
        await browser.get(path)
        plain = re.sub(r"[\s().-]", "", _without_search(browser.last))
        assert "491570156" not in plain, path
    await operator.get("/calls/masked")
    assert NATIONAL in operator.last


async def test_a_blocked_destination_says_what_its_reader_can_do(console: Console) -> None:
    """Who may act presses Test first; a viewer tells somebody."""
    await console.book.call("refused", result="Unanswered")
    await console.book.end("dialler", Verdict.HOLD, reason="unauthorized", effect="block:soon:unauthorized")
    operator, viewer = await console.browser("ann"), await console.browser("vic")

    await operator.get("/destinations/dialler")
    await viewer.get("/destinations/dialler")
    assert "Press “Test”" in operator.last
    assert "If not, tell whoever looks after Switchboard" in operator.last
    assert "Press “Test”" not in viewer.last
    assert "Nothing is lost meanwhile. Tell whoever looks after Switchboard" in viewer.last


async def test_a_user_of_one_destination_sees_that_one(console: Console) -> None:
    """Another destination's calls, deliveries and dead letters are not there, nor is what belongs to nobody."""
    await console.book.call("theirs", result="Answered")
    await console.book.call("mine", result="Unanswered")
    await console.book.end("law", Verdict.DEAD, reason="rejected", reply="Invalid ANI")
    await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply="Please provide surname")
    browser = await console.browser("dora")

    await browser.get("/calls")
    assert "/calls/mine" in browser.last
    assert "/calls/theirs" not in browser.last
    await browser.get("/calls/mine")
    await browser.get("/calls/theirs", status=404)
    await browser.get("/destinations/dialler")
    await browser.get("/destinations/law", status=404)
    await browser.get("/dead")
    assert "Please provide surname" in browser.last
    assert "Invalid ANI" not in browser.last
    await browser.get("/")
    assert "/destinations/law" not in browser.last
    await browser.get("/quarantine", status=403)
    assert ["dialler"] == [one["destination"] for one in await browser.json("/api/v1/destinations")]
    assert ["mine"] == [one["call_id"] for one in (await browser.json("/api/v1/calls"))["calls"]]
    await browser.json("/api/v1/calls/theirs", status=404)


async def test_the_first_page_says_what_was_not_sent(console: Console) -> None:
    """Where all was skipped nothing was sent: it is said with the reasons, and to each of their own destinations."""
    await console.book.call("theirs", result="Answered")
    await console.book.end("law", Verdict.SKIPPED, reason="too_old")
    browser, of_dialler = await console.browser("ann"), await console.browser("dora")

    await browser.get("/")
    assert "Not sent in the last 24 hours" in browser.last
    assert "1 because the call was too old by then" in browser.last
    await of_dialler.get("/")
    assert "Not sent in the last" not in of_dialler.last


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_others_wrote_is_text(console: Console, text: str) -> None:
    """Nothing that Delacon or a vendor wrote is markup on any page, and no page grows beyond its 200 KB."""
    await console.book.event(
        {
            "PLA_Call_Id": text[:100].replace("\x1b", ""), "PLA_Caller_Phone_Number": CALLER, "PLA_CID": text[:1000],
            "PLA_Dealer_Name": text, "PLA_CallResult": "Unanswered", "PLA_RecordingFile": text, text[:50]: text,
        }
    )  # fmt: skip
    await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply=text[:2000])
    browser = await console.browser("ann")

    places = ["/", "/calls", "/dead", "/destinations/dialler"]
    await browser.get("/calls")
    places += [html.unescape(place) for place in re.findall(r'href="(/calls/[^"]+)"', browser.last)]
    assert len(places) == 5
    for path in places:
        await browser.get(path)
        body = browser.last
        assert "<script>alert" not in body
        assert "<img" not in body
        assert 'href="javascript:' not in body
        assert "\x1b" not in body
        assert len(body.encode()) < 200_000


async def test_redis_away_is_said(console: Console, start: Start) -> None:
    """A page without Redis says so with 503 and tries again; the API says it in JSON."""
    lost = await start("", REDIS_URL="redis://127.0.0.1:1/0")
    console.session.ledger.redis.connection_pool.connection_kwargs["port"] = 1
    browser = await lost.browser()
    lost.session.ledger.redis.connection_pool.connection_kwargs["port"] = 1
    await lost.session.ledger.redis.connection_pool.disconnect()

    await browser.get("/calls", status=503)
    assert "Redis does not answer" in browser.last
    assert "data-try-again" in browser.last
    await browser.json("/api/v1/calls", status=503)
    await browser.get("/healthz")


async def test_an_open_page_is_told_of_what_is_new(console: Console) -> None:
    """A call that comes in while a page is open makes its stream say that something changed."""
    browser = await console.browser("ann")
    async with browser.client.get(f"{browser.base}/live") as stream:
        events = _events(stream)
        assert await anext(events) == "same"
        await console.book.call("new")

        async with asyncio.timeout(10):
            while await anext(events) != "changed":
                pass


async def test_a_stream_ends_with_its_session(console: Console) -> None:
    """A page that is left open learns nothing more once its user has signed out."""
    browser = await console.browser("ann")
    async with browser.client.get(f"{browser.base}/live") as stream:
        await browser.act("/logout")

        async with asyncio.timeout(10):
            await stream.read()


async def test_times_are_shown_in_the_chosen_zone(console: Console) -> None:
    """The zone is named beside each time; one that is unknown is not taken."""
    await console.book.call("timed", PLA_CallStartTime="00000001772452800000")
    browser = await console.browser("ann")

    await browser.get("/calls")
    assert "02 Mar 2026, 12:00:00 UTC" in browser.last
    await browser.act("/zone", zone="Australia/Perth", next="/calls")
    await browser.get("/calls")
    assert "02 Mar 2026, 20:00:00 AWST" in browser.last
    await browser.act("/zone", zone="Nowhere/Else", next="/calls")
    await browser.get("/calls")
    assert "20:00:00 AWST" in browser.last


async def _events(stream: aiohttp.ClientResponse) -> AsyncIterator[str]:
    async for line in stream.content:
        if line.startswith(b"event: "):
            yield line[7:].strip().decode()


def _without_search(page: str) -> str:
    """Return a page without what the viewer typed into it, and without the places that it links to."""
    return re.sub(r'(?:value|href|action)="[^"]*"', "", page)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"changed": {"what": "emptied", "last_seen_ms": 2, "noticed_ms": 3}}, "Redis was emptied or replaced"),
        ({"format": LEDGER_FORMAT + 2}, "run the version that wrote it"),
        ({"restoring": 1}, "a restore is under way"),
    ],
)
async def test_what_happened_to_the_ledger_needs_a_person(console: Console, fields: dict[str, Any], said: str) -> None:
    """The first page says so, whether anybody is told by alerts or not."""
    browser = await console.browser("ann")
    await browser.get("/")
    assert said not in browser.last

    await note(console.book.ledger, **fields)
    await browser.get("/")
    assert said in browser.last


def test_texts_of_others_are_plain() -> None:
    """Accents stay; what turns the direction, moves the cursor or piles up on one letter does not."""
    assert plain("Müller é法律") == "Müller é法律"
    assert plain("a\u202eb\x1b[31m\u00ad") == "a\ufffdb\ufffd[31m\ufffd"
    assert plain("a" + "\u0e47" * 80) == "a" + "\u0e47" * 4
