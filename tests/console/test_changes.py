"""What a button does, who may press it, what is asked first, and what stands in the audit."""

import asyncio
import html
import re
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from deploy.console.changes import CHANGES
from tests.cli.conftest import CALLER
from tests.console.conftest import PASSWORD, Browser, Console, Start
from worker.ledger.audit import audited
from worker.ledger.records import Verdict


async def died(console: Console, *call_ids: str, words: str = "Please provide surname") -> None:
    """Bring missed calls in and give them up at the dialler."""
    for number, call_id in enumerate(call_ids):
        await console.book.call(call_id, result="Unanswered", caller=f"+6149157{number:04}")
    ends = await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply=words)
    while len(ends) < len(call_ids):
        ends += await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply=words)


async def states(console: Console, *call_ids: str, destination: str = "dialler") -> list[str]:
    """Return the states of calls' deliveries at a destination."""
    found = await console.session.ledger.load(call_ids)
    return [call.deliveries[destination, "create"].state.value for call in found]


async def sure(browser: Browser, change: str, **fields: str) -> Browser:
    """Press a button, and say yes on the page that asks: with the fields that stand in its form."""
    await browser.act(f"/change/{change}", status=200, **fields)
    form = browser.last.split("<main", 1)[1].split("<form", 1)[1]
    values = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    data = [(name, html.unescape(value)) for name, value in values]
    await browser.post(f"/change/{change}", data=aiohttp.FormData(data)())
    return browser


async def audit(console: Console) -> list[tuple[str, str, str, int]]:
    """Return who did what by which door to how many."""
    return [(one.who, one.door, one.what, one.count) async for one in audited(console.session.ledger)]


async def test_a_page_asks_before_anything_is_changed(console: Console) -> None:
    """The first press shows what will happen and changes nothing; the second does it, and the next page tells."""
    await console.book.call("c1", result="Unanswered")
    browser = await console.browser("ann")
    await browser.act("/change/deliveries.cancel", status=200, key="c1:dialler:create", next="/calls/c1")
    assert "Cancel 1 delivery for good?" in html.unescape(browser.last)
    assert await states(console, "c1") == ["queued"]
    await sure(browser, "deliveries.cancel", key="c1:dialler:create", next="/calls/c1")
    assert await states(console, "c1") == ["cancelled"]
    await browser.get("/calls/c1")
    assert "1 delivery cancelled." in browser.last
    assert "ann cancelled a delivery" in browser.last
    await browser.get("/calls/c1")
    assert "1 delivery cancelled." not in browser.last
    assert await audit(console) == [("ann", "console", "deliveries.cancel", 1)]


async def test_each_state_has_its_buttons(console: Console) -> None:
    """Waiting, dead and final deliveries offer what can be done with them, and doing it works."""
    await died(console, "dead")
    await console.book.call("waiting", result="Unanswered")
    browser = await console.browser("ann")
    await browser.get("/calls/waiting")
    assert {"deliveries.retry", "deliveries.cancel"} == _offered(browser, "waiting:dialler:create")
    await browser.get("/calls/dead")
    assert {"dead.replay", "dead.drop"} == _offered(browser, "dead:dialler:create")
    await sure(browser, "dead.drop", key="dead:dialler:create")
    await browser.get("/calls/dead")
    assert {"deliveries.redeliver"} == _offered(browser, "dead:dialler:create")
    await sure(browser, "deliveries.redeliver", key="dead:dialler:create")
    await sure(browser, "deliveries.retry", key="waiting:dialler:create")
    assert await states(console, "dead", "waiting") == ["queued", "queued"]
    did = [("deliveries.retry", 1), ("deliveries.redeliver", 1), ("dead.drop", 1)]
    assert [(what, count) for _, _, what, count in await audit(console)] == did


@pytest.mark.parametrize("name", CHANGES)
async def test_a_viewer_changes_nothing(console: Console, name: str) -> None:
    """Neither by a form nor by the API, with session or password."""
    await died(console, "dead")
    browser = await console.browser("vic")
    fields = {
        "key": "dead:dialler:create", "destination": "dialler", "number": CALLER, "id": "x", "call_id": "dead",
        "sure": "yes",
    }  # fmt: skip
    basic = {"Authorization": aiohttp.encode_basic_auth("vic", PASSWORD)}
    await browser.act(f"/change/{name}", status=403, **fields)
    await browser.post(f"/api/v1/change/{name}", status=403, json=fields, headers=basic)
    await browser.get("/calls/dead")
    assert "/change/" not in browser.last
    assert await states(console, "dead") == ["dead"]
    assert await audit(console) == []


@pytest.mark.parametrize("name", CHANGES)
async def test_a_form_of_elsewhere_changes_nothing(console: Console, name: str) -> None:
    """Without the session's own token no change is made, whatever the fields."""
    await died(console, "dead")
    browser = await console.browser("ann")
    fields = {
        "key": "dead:dialler:create",
        "destination": "dialler",
        "number": CALLER,
        "call_id": "dead",
        "sure": "yes",
    }
    await browser.post(f"/change/{name}", status=403, data=fields)
    await browser.post(f"/api/v1/change/{name}", status=403, json=fields)
    await browser.post(f"/change/{name}", status=403, data=fields, headers={"X-Form-Token": "x"})

    assert await audit(console) == []


async def test_a_user_of_one_destination_touches_no_other(console: Console) -> None:
    """Another destination's deliveries and doors are not there for dora, and what belongs to nobody is not hers."""
    await console.book.call("theirs", result="Answered")
    await console.book.end("law", Verdict.DEAD, reason="rejected", reply="Invalid ANI")
    browser = await console.browser("dora")

    for name, status, fields in (
        ("dead.replay", 404, {"key": "theirs:law:create"}),
        ("dead.replay", 404, {"destination": "law", "cause": "0" * 16}),
        ("destinations.pause", 404, {"destination": "law"}),
        ("destinations.test", 404, {"destination": "law"}),
        ("calls.reroute", 403, {"call_id": "theirs"}),
        ("suppress.add", 403, {"number": CALLER}),
        ("quarantine.retry", 403, {"id": "x"}),
        ("send.test", 403, {}),
    ):
        await browser.act(f"/change/{name}", status=status, **{**fields, "sure": "yes"})
    await sure(browser, "destinations.pause", destination="dialler")

    assert await states(console, "theirs", destination="law") == ["dead"]
    assert await audit(console) == [("dora", "console", "destinations.pause", 1)]


async def test_pause_and_resume(console: Console) -> None:
    """A paused destination says so, and its button resumes it."""
    browser = await console.browser("ann")

    await sure(browser, "destinations.pause", destination="law")
    await browser.get("/destinations/law")
    assert "An operator paused it" in browser.last
    await sure(browser, "destinations.resume", destination="law")
    await browser.get("/destinations/law")

    assert "An operator paused it" not in browser.last
    assert [what for _, _, what, _ in await audit(console)] == ["destinations.resume", "destinations.pause"]


async def test_all_of_one_cause_are_tried_again(console: Console) -> None:
    """The whole cause goes, also what is on no page, and no other cause; the page follows it to its end."""
    calls = [f"c{number:03}" for number in range(120)]
    await died(console, *calls)
    await died(console, "other", words="Unknown field")
    browser = await console.browser("ann")
    await browser.get("/dead")
    cause = (await browser.json("/api/v1/dead?by=cause"))["causes"][0]
    assert (cause["count"], cause["words"]) == (120, "Please provide surname")

    await sure(browser, "dead.replay", destination="dialler", cause=cause["cause"], rate="600")
    chore = await _followed(console, browser)

    assert (chore["state"], chore["seen"], chore["done"], chore["total"]) == ("done", 120, 120, 120)
    assert set(await states(console, *calls)) == {"queued"}
    assert await states(console, "other") == ["dead"]
    [(who, door, what, count)] = await audit(console)
    assert (who, door, what, count) == ("ann", "console", "dead.replay", 120)
    await browser.get(f"/chores/{chore['id']}")
    assert "120 of 120 deliveries" in browser.last


async def test_a_rate_is_kept_and_stop_stops(console: Console) -> None:
    """At 20 a second 100 take seconds; stopped in between, the rest stays given up."""
    calls = [f"c{number:03}" for number in range(100)]
    await died(console, *calls)
    browser = await console.browser("ann")
    cause = (await browser.json("/api/v1/dead?by=cause"))["causes"][0]["cause"]

    began = time.monotonic()
    await sure(browser, "dead.replay", destination="dialler", cause=cause, rate="20")
    chore_id = console.chores.all()[0].chore_id
    await until(lambda: console.chores.all()[0].seen >= 12)
    took = time.monotonic() - began
    await browser.get(f"/chores/{chore_id}")
    assert '<meta http-equiv="refresh"' in browser.last
    await browser.act(f"/chores/{chore_id}/stop")
    chore = await _followed(console, browser)

    assert took > 0.35
    assert chore["state"] == "stopped"
    assert 12 <= chore["done"] < 100
    found = await states(console, *calls)
    assert (found.count("queued"), found.count("dead")) == (chore["done"], 100 - chore["done"])


async def test_a_chore_waits_for_redis(console: Console) -> None:
    """While Redis is away the work says so and goes on when it is back; nothing is left out."""
    calls = [f"c{number:03}" for number in range(60)]
    await died(console, *calls)
    browser = await console.browser("ann")
    cause = (await browser.json("/api/v1/dead?by=cause"))["causes"][0]["cause"]
    pool = console.session.ledger.redis.connection_pool
    port = pool.connection_kwargs["port"]

    await sure(browser, "dead.replay", destination="dialler", cause=cause, rate="40")
    for one in (pool.connection_kwargs, *map(vars, (*pool._available_connections, *pool._in_use_connections))):
        one["port"] = 1
    await pool.disconnect()
    chore = console.chores.all()[0]
    await until(lambda: chore.state == "waiting")
    for one in (pool.connection_kwargs, *map(vars, (*pool._available_connections, *pool._in_use_connections))):
        one["port"] = port
    shape = await _followed(console, browser)

    assert (shape["state"], shape["seen"]) == ("done", 60)
    assert shape["done"] >= 60 - 8  # of the step whose answer was lost nobody knows how many it was
    assert set(await states(console, *calls)) == {"queued"}


async def test_chosen_ones_alone_are_tried_again(console: Console) -> None:
    """Two ticked boxes are two deliveries."""
    await died(console, "a", "b", "c")
    browser = await console.browser("ann")
    token = await browser.token()
    form = [("key", "a:dialler:create"), ("key", "c:dialler:create"), ("sure", "yes"), ("form_token", token)]

    await browser.post("/change/dead.replay", data=aiohttp.FormData(form)())

    assert await states(console, "a", "b", "c") == ["queued", "dead", "queued"]


async def test_numbers_are_suppressed_and_taken_off(console: Console) -> None:
    """In whatever form they are written; the audit holds no whole number."""
    browser = await console.browser("ann")

    await sure(browser, "suppress.add", number="0491 570 156")
    await browser.get("/suppressed")
    assert CALLER in browser.last
    await sure(browser, "suppress.remove", number=CALLER)
    await browser.act("/change/suppress.add", status=400, number="12")

    records = [one async for one in audited(console.session.ledger)]
    assert [(one.what, one.count) for one in records] == [("suppress.remove", 1), ("suppress.add", 1)]
    assert not any("491570156" in one.which for one in records)


async def test_a_quarantined_body_is_read_again(console: Console) -> None:
    """What cannot be read stays, and the page says why; what can is a call, and the page leads to it."""
    ledger = console.session.ledger
    bad = await ledger.quarantine(b"no call", reason="not JSON", path_kind="create", received_us=1_772_452_800_000_000)
    good = await ledger.quarantine(
        b'{"PLA_Call_Id": "rescued", "PLA_CallResult": "Answered"}', reason="not JSON", path_kind="update",
        received_us=1_772_452_800_000_000,
    )  # fmt: skip
    browser = await console.browser("ann")

    await sure(browser, "quarantine.retry", id=bad)
    await browser.get("/quarantine")
    assert "still cannot be read" in browser.last
    form = {"id": good, "sure": "yes", "form_token": await browser.token()}
    response = await browser.post("/change/quarantine.retry", data=form)

    assert response.headers["Location"] == "/calls/rescued"


async def test_unrouted_calls_are_routed_again(console: Console) -> None:
    """One, or all of them from the list of calls that match no route."""
    await console.book.call("u1", result="Transferred")
    browser = await console.browser("ann")

    await browser.get("/calls?state=unrouted")
    assert "/calls/u1" in browser.last
    await sure(browser, "calls.reroute")

    assert (await audit(console))[0][:3] == ("ann", "console", "calls.reroute")
    await browser.act("/change/calls.reroute", status=404, call_id="nothing")


async def test_a_call_is_erased(console: Console) -> None:
    """It is gone from every page, and the audit says who did it."""
    await console.book.call("gone", result="Unanswered")
    browser = await console.browser("ann")

    await sure(browser, "calls.erase", call_id="gone")
    await browser.get("/calls")
    assert "The call was erased." in browser.last
    await browser.get("/calls/gone", status=404)

    assert await audit(console) == [("ann", "console", "erase", 1)]


async def test_a_destination_is_tested(console: Console) -> None:
    """What the vendor answers, or that it does not, is told at once; it is in the audit, and asks for no yes."""
    browser = await console.browser("ann")

    await browser.act("/change/destinations.test", destination="crm", next="/destinations/crm")
    await browser.get("/destinations/crm")

    assert "crm: no connection" in browser.last
    assert [what for _, _, what, _ in await audit(console)] == ["destinations.test"]


async def test_what_cannot_be_done_is_said(console: Console) -> None:
    """Wrong keys, rates and states are refused in words, and nothing is changed."""
    await console.book.call("c1", result="Unanswered")
    browser = await console.browser("ann")

    for name, status, fields in (
        ("nothing", 404, {}),
        ("dead.replay", 400, {"key": "no key"}),
        ("dead.replay", 404, {"key": "no:dialler:create"}),
        ("dead.replay", 409, {"key": "c1:dialler:create"}),
        ("dead.replay", 409, {"destination": "dialler", "cause": "0" * 16}),
        ("dead.replay", 400, {"destination": "dialler"}),
        ("destinations.pause", 404, {"destination": "none"}),
        ("destinations.pause", 400, {}),
        ("suppress.remove", 404, {"number": CALLER}),
        ("quarantine.retry", 404, {"id": "none"}),
    ):
        await browser.act(f"/change/{name}", status=status, **fields)
        assert 'role="alert"' in browser.last
    await died(console, "c2")
    cause = (await browser.json("/api/v1/dead?by=cause"))["causes"][0]["cause"]
    for rate in ("0", "-1", "fast", "nan", "1e9"):
        await browser.act("/change/dead.replay", status=400, destination="dialler", cause=cause, rate=rate)

    assert await audit(console) == []


async def test_the_api_changes_with_a_password_alone(console: Console) -> None:
    """A program needs no token; lists are lists, and the answer tells what was done."""
    await died(console, "a", "b")
    browser = await console.browser()
    basic = {"Authorization": aiohttp.encode_basic_auth("ann", PASSWORD)}

    async def post(path: str, body: Any, status: int = 200) -> Any:
        response = await browser.post(f"/api/v1{path}", status=status, json=body, headers=basic)
        return await response.json()

    done = await post("/change/dead.replay", {"key": ["a:dialler:create", "b:dialler:create"]})
    assert (done["ok"], done["count"]) == (True, 2)
    await post("/change/dead.replay", {"key": {"a": 1}}, 400)
    await post("/change/dead.replay", [1], 400)
    assert await states(console, "a", "b") == ["queued", "queued"]


async def test_a_test_call_without_a_receiver_says_so(start: Start, free_port: int) -> None:
    """The page tells which receiver did not answer, and that is in no audit."""
    console = await start(PORT=str(free_port))
    browser = await console.browser("ann")

    await sure(browser, "send.test")
    await browser.get("/")

    assert f"The receiver at http://127.0.0.1:{free_port} did not take it" in browser.last
    assert await audit(console) == []


async def test_two_pages_at_once_do_it_once(console: Console) -> None:
    """Two tabs that say yes to the same thing: the second is told that there is nothing left to do."""
    await died(console, "c1")
    first, second = await console.browser("ann"), await console.browser("ann")
    await first.act("/change/dead.replay", status=200, key="c1:dialler:create")
    await second.act("/change/dead.replay", status=200, key="c1:dialler:create")

    await first.act("/change/dead.replay", key="c1:dialler:create", sure="yes")
    await second.act("/change/dead.replay", status=409, key="c1:dialler:create", sure="yes")

    assert [count for _, _, _, count in await audit(console)] == [1]


async def until(holds: Callable[[], bool]) -> None:
    """Look again and again until something holds, for 30 s."""
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  the chore tells nobody
            await asyncio.sleep(0.02)


def _offered(browser: Browser, key: str) -> set[str]:
    """Return the changes that a page offers for a delivery."""
    forms = re.findall(r'action="/change/([a-z.]+)"(.*?)</form>', browser.last, re.DOTALL)
    return {name for name, form in forms if f'value="{key}"' in form}


async def _followed(console: Console, browser: Browser) -> dict[str, Any]:
    """Wait until the newest chore is over, and return it as the API does."""
    await until(lambda: console.chores.all()[0].is_over)
    shape: dict[str, Any] = await browser.json(f"/api/v1/chores/{console.chores.all()[0].chore_id}")
    return shape
