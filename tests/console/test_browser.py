"""The console in Debian's chromium: what a person does, with and without JavaScript, at every width and in the dark.

``make shots`` keeps screenshots of each page, in ``var/shots``.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from deploy.local.redis_server import RedisServer
from tests.console.chromium import signed_in
from tests.console.conftest import Console, Start
from tests.console.test_changes import died, states
from worker.ledger import admin
from worker.ledger.records import Verdict

pytestmark = pytest.mark.load  # make browser, and in CI: make test wants no browser

PAGES = (
    "/", "/calls", "/calls/shown", "/destinations", "/destinations/dialler", "/dead", "/quarantine", "/numbers",
    "/suppressed", "/report", "/audit",
)  # fmt: skip
WIDTHS, SHOWN = (360, 400, 1280, 2000), (400, 1280)


async def fill(console: Console) -> None:
    """Bring in what every page has something to show of."""
    await died(console, "shown", "also")
    await console.book.call("waiting", result="Unanswered", PLA_Dealer_Name="Smith Law Sydney")
    await console.book.call("whole", PLA_Dealer_Name="Smith Law Sydney")
    await console.book.call("unrouted", result="Transferred")
    ledger = console.session.ledger
    await ledger.quarantine(b"<b>no call", reason="not JSON", path_kind="create", received_us=1_772_452_800_000_000)
    await admin.suppress(ledger, "+61491570156")
    await admin.pause(ledger, "law", by=console.session.actor.does("destinations.pause", "law"))


async def test_a_person_finds_the_cause_and_mends_it(chromium: Chromium, console: Console) -> None:
    """From the first page to what was given up, its words, all of it tried again, and a bar that comes to its end."""
    calls = [f"c{number:02}" for number in range(50)]
    await died(console, *calls)
    page = await signed_in(chromium, console)

    await page.get_by_role("link", name="50 given up for dialler").click()
    await expect(page.get_by_text("Please provide surname")).to_be_visible()
    await page.get_by_label("At most").fill("40")
    await page.get_by_role("button", name="Try all 50 again").click()
    await page.get_by_role("button", name="Try 50 again").click()
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await expect(page.get_by_text("Under way")).to_be_visible()
    await expect(page.get_by_text("50 of 50 deliveries.")).to_be_visible(timeout=15_000)
    await expect(page.get_by_text("Done", exact=True)).to_be_visible()

    assert set(await states(console, *calls)) == {"queued"}


async def test_a_newcomer_gets_missed_calls_called_back(chromium: Chromium, console: Console) -> None:
    """Told only that they are not: the first page names the destination that stands still, four clicks mend it.

    One that the vendor blocked shows the vendor's words, and who can mend it.
    """
    await console.book.call("missed", result="Unanswered")
    await console.book.call("missed-too", result="Unanswered", caller="+61491570157")
    await admin.pause(console.session.ledger, "dialler", by=console.session.actor.does("destinations.pause", "dialler"))
    page = await signed_in(chromium, console)
    await shoot(page, "newcomer-1-now")
    await page.get_by_role("link", name="dialler is paused; 2 deliveries wait for it").click()
    await expect(page.get_by_text("An operator paused it.")).to_be_visible()
    await shoot(page, "newcomer-2-destination")
    await page.get_by_role("button", name="Resume").click()
    await shoot(page, "newcomer-3-sure")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_role("status")).to_contain_text("dialler is sent to again")

    blocked = Verdict.HOLD
    await console.book.end(
        "dialler", blocked, reason="unauthorized", reply="Invalid Key", effect="block:soon:unauthorized"
    )
    await page.get_by_role("link", name="Now").click()
    await page.get_by_role("link", name="dialler refuses everything").click()
    await expect(page.get_by_text("Invalid Key")).to_be_visible()
    await expect(page.get_by_text("It is mended: resume")).to_have_count(2)
    await shoot(page, "newcomer-4-blocked")


async def shoot(page: Page, name: str) -> None:
    """Keep what a page looks like, where somebody asks for it."""
    if shots := os.environ.get("CONSOLE_SHOTS"):
        await page.screenshot(path=Path(shots) / f"{name}.png", full_page=True)


async def test_a_call_is_found_by_half_a_number(chromium: Chromium, console: Console) -> None:
    """The last digits find the call, and its story tells what happened."""
    await died(console, "first", "second")
    page = await signed_in(chromium, console)

    await page.get_by_role("link", name="Calls", exact=True).click()
    await page.get_by_label("Id or caller").fill("570001")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("link", name="first")).to_have_count(0)
    await page.get_by_role("link", name="second").click()

    await expect(page.get_by_text("Given up for dialler (Comunik8)")).to_be_visible()
    await expect(page.get_by_text("AEDT").first).to_be_visible()


async def test_without_javascript_all_of_it_works(chromium: Chromium, console: Console) -> None:
    """Pause, and a whole cause tried again, by forms and pages that load themselves anew."""
    await died(console, "a", "b")
    page = await signed_in(chromium, console, java_script_enabled=False)

    await page.goto("/destinations/law")
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("status")).to_have_text("law is paused.")
    await page.goto("/dead")
    await page.get_by_role("button", name="Try all 2 again").click()
    await page.get_by_role("button", name="Try 2 again").click()
    await expect(page.get_by_text("2 of 2 deliveries.")).to_be_visible(timeout=15_000)

    assert await states(console, "a", "b") == ["queued", "queued"]


async def test_an_open_page_follows_what_happens(chromium: Chromium, console: Console) -> None:
    """A call that comes in appears on an open list, in two windows at once, and nobody pressed anything."""
    first, second = await signed_in(chromium, console), await signed_in(chromium, console)
    await first.goto("/calls")
    await second.goto("/")
    await expect(first.get_by_text("No call has come in yet.")).to_be_visible()
    await expect(second.get_by_text("No webhook has come yet")).to_be_visible()
    await first.wait_for_timeout(2500)  # until the stream has told once what there is

    await console.book.call("arrived", result="Unanswered")

    await expect(first.get_by_role("link", name="arrived")).to_be_visible(timeout=10_000)
    await expect(second.get_by_text("No webhook has come yet")).to_have_count(0, timeout=10_000)
    await admin.pause(console.session.ledger, "law")
    await expect(second.get_by_text("law is paused")).to_be_visible(timeout=10_000)


async def test_redis_away_and_back(
    chromium: Chromium, start: Start, make_redis_server: Callable[..., RedisServer]
) -> None:
    """A page says that Redis does not answer, and comes back by itself when it does, signed in as before."""
    server = make_redis_server()
    console = await start(url=server.url)
    page = await signed_in(chromium, console)

    server.kill()
    await page.goto("/destinations")
    await expect(page.get_by_text("Redis does not answer")).to_be_visible()
    server.start()

    await expect(page.get_by_role("heading", name="Destinations")).to_be_visible(timeout=30_000)


async def test_a_viewer_has_no_buttons(chromium: Chromium, console: Console) -> None:
    """Nothing to press but searches, the zone and the door; the caller is masked."""
    await fill(console)
    page = await signed_in(chromium, console, "vic")

    for path in PAGES:
        await page.goto(path)
        buttons = set(await page.get_by_role("button").all_inner_texts())
        assert buttons <= {"Search", "Show", "Use this zone", "Sign out", "Copy"}, path
    await page.goto("/calls/shown")
    await expect(page.get_by_text("+61…000 rang").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_its_window(chromium: Chromium, console: Console, scheme: Any, axe: str) -> None:
    """No page is wider than its window, has a fault for the browser's log, or a serious one by axe-core."""
    await fill(console)
    page = await signed_in(chromium, console, color_scheme=scheme, bypass_csp=True)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    shots = os.environ.get("CONSOLE_SHOTS")

    for path in PAGES:
        await page.goto(path)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, (path, width)
            if shots and width in SHOWN:
                name = f"{path.strip('/').replace('/', '-') or 'now'}-{width}-{scheme}.png"
                await page.screenshot(path=Path(shots) / name, full_page=True)
        await page.set_viewport_size({"width": 400, "height": 900})
        await page.evaluate(axe)
        found = await page.evaluate("axe.run()")
        serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
        assert [] == [(one["id"], one["nodes"][0]["html"][:200]) for one in serious], path

    assert said == []


async def test_the_browser_refuses_what_is_not_the_consoles_own(chromium: Chromium, console: Console) -> None:
    """A script within a page, were there one, would not run."""
    page = await signed_in(chromium, console)

    await page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'ran = 1'; document.body.append(s) }"
    )

    assert await page.evaluate("window.ran") is None


async def test_the_keyboard_reaches_everything(chromium: Chromium, console: Console) -> None:
    """The first stop leads past the navigation; every link and button of a page is a stop."""
    await fill(console)
    page = await signed_in(chromium, console)
    await page.goto("/dead")

    stops = []
    for _ in range(60):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate("document.activeElement.innerText || document.activeElement.name || ''"))

    assert stops[0] == "Skip to the page"
    assert "Try all 2 again" in stops
    assert "Drop all" in stops
