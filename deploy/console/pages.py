"""The console's pages: each reads by the queries and renders one template."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from redis import RedisError

from deploy.cli.alerts import standing_line
from deploy.cli.number_shapes import owned, request_shape
from deploy.cli.values import iso
from deploy.console.access import Visitor
from deploy.console.call_finder import CallQuery, Cursor
from deploy.console.measures import Measures, calls_today
from deploy.console.queries import Queries
from deploy.console.rendering import ACCESS, PAGES, SESSION, VISITOR, many
from deploy.console.story import story, why
from tasks.vendors.registry import list_ages
from worker.ledger import alerts, queries
from worker.ledger.do_not_call import fault_of, loaded_list
from worker.ledger.numbers import Numbers
from worker.ledger.schema import changed_in_words, read_schema

ENDING = web.AppKey("ending", asyncio.Event)
"""Set when the console ends."""

STATES = ("waiting", "ready", "unrouted", "no_start")
RESULTS = ("answered", "unanswered", "busy")
_LETTERS_SHOWN, _CAUSES_SHOWN = 20, 30
_ALERTS = ("drift", "silence", "spooled", "refused", "overdue", "audit")  # what the other lines do not tell
_MEANWHILE = {
    "comunik8": ": missed callers are not called back meanwhile",
    "captorra": ": the firm does not see its calls meanwhile",
    "kapture": ": no customer is added or updated meanwhile",
}
"""What it means to people that a vendor gets nothing."""
_NUMBERS_SHOWN = 200
_LATEST = 1e11  # seconds
_FRESH_S = 2.0  # how often a page that is open is told of what has changed
_LIVE_S = 3600.0  # a page that is left open asks anew


def add_pages(router: web.UrlDispatcher) -> None:
    """Add every page."""
    router.add_get("/", now)
    router.add_get("/calls", calls)
    router.add_get("/calls/{call_id:.+}", call)
    router.add_get("/destinations", destinations)
    router.add_get("/destinations/{name}", destination)
    router.add_get("/dead", dead)
    router.add_get("/quarantine", quarantine)
    router.add_get("/suppressed", suppressed)
    router.add_get("/numbers", numbers)
    router.add_get("/audit", audit)
    router.add_get("/live", live)


def visitor_of(request: web.Request) -> Visitor:
    """Return the visitor, whom the guard has admitted."""
    visitor = request[VISITOR]
    if visitor is None:
        raise web.HTTPUnauthorized
    return visitor


def queries_of(request: web.Request) -> Queries:
    """Return the visitor's queries."""
    return Queries(request.app[SESSION], visitor_of(request))


def filter_of(request: web.Request) -> CallQuery:
    """Read the query from the address; ignore what cannot be read."""
    asked = request.query
    return CallQuery(
        text=asked.get("q", "").strip()[:200],
        state=_one_of(asked.get("state", ""), STATES),
        destination=asked.get("destination", "")[:40],
        service=asked.get("service", "").strip()[:200],
        result=_one_of(asked.get("result", ""), RESULTS),
        since_ms=_day(request, asked.get("since", "")),
        until_ms=_day(request, asked.get("until", ""), end=True),
        older=Cursor.read(asked.get("older", "")[:200]),
    )


async def now(request: web.Request) -> web.StreamResponse:
    """Show what needs a person, what came in, and how every destination does."""
    session, zone = request.app[SESSION], request.app[PAGES].zone_of(request)
    overview = await session.ledger.overview(session.settings.destinations)
    every = visitor_of(request).user.destinations is None
    found = await queries_of(request).destinations(overview)
    names = [one["destination"] for one in found]
    measures = await Measures.read(session.ledger, names, now_ms=overview.now_ms)
    came = await calls_today(session.ledger, now_ms=overview.now_ms, zone=zone) if every else None
    needs = _needs(found, overview, every=every)
    listed = await loaded_list(session.ledger)
    needs += [
        ("bad", f"{name} holds its leads: {fault}", "/suppressed")
        for name, age_s in list_ages(session.settings.destinations).items()
        if name in names and (fault := fault_of(listed, age_s=age_s, now_ms=overview.now_ms))
    ]
    if every:
        schema = await read_schema(session.ledger.redis)
        if said := schema.fault or (schema.changed and changed_in_words(schema.changed)):
            needs.insert(0, ("bad", said, "/audit"))
        needs += [
            ("bad", standing_line(one)["text"], "/destinations")
            for one in await alerts.standing(session.ledger)
            if one.begun_ms is not None and one.cause in _ALERTS
        ]
    return request.app[PAGES].render(
        request, "now.html", overview=overview, every=every, destinations=found, empty=not overview.calls, came=came,
        address=_webhook_address(request), needs=needs, measures=measures,
        skipped=[(why(reason) or "of a reason that was not noted", n) for reason, n in measures.skipped().items()],
        chart=measures.chart(names, zone=zone),
    )  # fmt: skip


async def calls(request: web.Request) -> web.StreamResponse:
    """Show calls, and the form to search them."""
    wanted = filter_of(request)
    page = await queries_of(request).calls(wanted)
    names = [name for name in request.app[SESSION].settings.destinations if visitor_of(request).user.sees(name)]
    return request.app[PAGES].render(
        request, "calls.html", page=page, wanted=wanted, asked=dict(request.query), names=names, states=STATES,
        results=RESULTS,
    )  # fmt: skip


async def call(request: web.Request) -> web.StreamResponse:
    """Show one call's story."""
    found = await queries_of(request).story(request.match_info["call_id"])
    if found is None:
        raise web.HTTPNotFound(text="There is no such call, or not for you; it may have been erased or be too old.")
    shape, sent, doings = found
    return request.app[PAGES].render(
        request, "call.html", shape=shape, chapters=story(shape, doings), sent=sent,
        open=("queued", "retrying", "held"),
    )  # fmt: skip


async def destinations(request: web.Request) -> web.StreamResponse:
    """Show every destination."""
    ledger = request.app[SESSION].ledger
    found = await queries_of(request).destinations()
    names = [one["destination"] for one in found]
    measures = await Measures.read(ledger, names, now_ms=await ledger.now_ms())
    return request.app[PAGES].render(request, "destinations.html", destinations=found, measures=measures)


async def destination(request: web.Request) -> web.StreamResponse:
    """Show one destination."""
    name, ledger = request.match_info["name"], request.app[SESSION].ledger
    found = [one for one in await queries_of(request).destinations() if one["destination"] == name]
    if not found:
        raise web.HTTPNotFound(text="There is no such destination, or not for you.")
    zone = request.app[PAGES].zone_of(request)
    measures = await Measures.read(ledger, [name], now_ms=await ledger.now_ms())
    stopped = found[0]["state"] not in {"ok", "paused"}
    refusal = await queries_of(request).last_refusal(name) if stopped else None
    return request.app[PAGES].render(
        request, "destination.html", one=found[0], refusal=refusal,
        configured=request.app[SESSION].settings.destinations.get(name),
        counts=measures.whole(name), chart=measures.chart([name], zone=zone),
        latencies=measures.latencies(name, zone=zone),
    )  # fmt: skip


async def dead(request: web.Request) -> web.StreamResponse:
    """Show what was given up, by cause."""
    groups, whole = await queries_of(request).dead()
    return request.app[PAGES].render(
        request, "dead.html", groups=groups, whole=whole, shown=_LETTERS_SHOWN, causes_shown=_CAUSES_SHOWN
    )


async def quarantine(request: web.Request) -> web.StreamResponse:
    """Show bodies that could not be read; only to whoever sees everything, for a body belongs to nobody yet."""
    visitor = visitor_of(request)
    if visitor.user.destinations is not None:
        raise web.HTTPForbidden(text="Quarantined bodies belong to no destination yet: only users of all see them.")
    bodies = []
    async for body in queries.quarantined(request.app[SESSION].ledger):
        bodies.append(body)
        if len(bodies) == queries.PAGE:
            break
    return request.app[PAGES].render(request, "quarantine.html", bodies=bodies, shown=visitor.may_act)


async def suppressed(request: web.Request) -> web.StreamResponse:
    """Show the numbers that no lead is made for."""
    visitor = visitor_of(request)
    numbers = await queries.suppressed(request.app[SESSION].ledger) if visitor.user.destinations is None else []
    listed = await loaded_list(request.app[SESSION].ledger)
    loaded_at = iso(listed.loaded_ms) if listed else None
    return request.app[PAGES].render(
        request, "suppressed.html", numbers=numbers, shown=visitor.may_act, listed=listed, loaded_at=loaded_at
    )


async def numbers(request: web.Request) -> web.StreamResponse:
    """Show the requests about Callcap's numbers, the newest first."""
    if visitor_of(request).user.destinations is not None:
        raise web.HTTPForbidden(text="Numbers belong to no destination: only users of all see them.")
    session = request.app[SESSION]
    records = [record async for record in Numbers(session.ledger).records()]
    return request.app[PAGES].render(
        request, "numbers.html", requests=[request_shape(record) for record in records[-_NUMBERS_SHOWN:][::-1]],
        owned=[number.shape() for number in owned(records)][-_NUMBERS_SHOWN:],
        configured=session.settings.callcap is not None,
    )  # fmt: skip


async def audit(request: web.Request) -> web.StreamResponse:
    """Show who did what."""
    if visitor_of(request).user.destinations is not None:
        raise web.HTTPForbidden(text="The audit is about everything: only users of all destinations see it.")
    asked = request.query
    page = await queries_of(request).audit(who=asked.get("who", "").strip()[:100], until_ms=before_of(request))
    return request.app[PAGES].render(request, "audit.html", page=page, asked=dict(asked))


async def live(request: web.Request) -> web.StreamResponse:
    """Send a server-sent event to an open page each time that the ledger's figures have changed."""
    session, user = request.app[SESSION], visitor_of(request).user
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    until, before = loop.time() + _LIVE_S, ""
    while loop.time() < until and await request.app[ACCESS].visitor(request) is not None:
        try:
            overview = await session.ledger.overview(session.settings.destinations)
            seen = [(d.name, d.queued, d.dead, d.shut_by) for d in overview.destinations if user.sees(d.name)]
            figures = str((overview.calls, overview.unrouted, overview.no_start, overview.quarantined, seen))
        except (RedisError, OSError):
            figures = "away"
        event = "changed" if before and figures != before else "same"
        try:
            await response.write(f"event: {event}\ndata:\n\n".encode())
        except ConnectionError:
            break  # nobody looks any more
        before = figures
        try:
            await asyncio.wait_for(request.app[ENDING].wait(), _FRESH_S)
        except TimeoutError:
            continue
        break
    return response


def _needs(found: list[dict[str, Any]], overview: Any, *, every: bool) -> list[tuple[str, str, str]]:
    """Return what needs a person: how bad, a sentence, and a link."""
    needs = []
    for one in found:
        name, place = one["destination"], f"/destinations/{one['destination']}"
        waits = many(one["queued"], "delivery waits", "deliveries wait")
        so = _MEANWHILE.get(one["vendor"], "")
        if one["state"] == "blocked":
            text = f"{name} refuses everything ({why(one['reason'])}); {waits} for it{so}"
            needs.append(("bad", text, place))
        elif one["state"] != "ok":
            needs.append(("warn", f"{name} is {one['state']}; {waits} for it{so}", place))
        if one["dead"]:
            needs.append(("bad", f"{one['dead']} given up for {name}", f"/dead#{name}"))
    if every:
        unrouted, no_start, unread = overview.unrouted, overview.no_start, overview.quarantined
        needs += [
            (tone, text, place)
            for count, tone, text, place in (
                (unrouted, "bad", many(unrouted, "call matches", "calls match") + " no route", "/calls?state=unrouted"),
                (no_start, "warn", many(no_start, "end") + " without a start", "/calls?state=no_start"),
                (unread, "warn", many(unread, "webhook") + " could not be read", "/quarantine"),
                (not overview.workers, "bad", "no worker runs: nothing is sent", "/destinations"),
            )
            if count
        ]  # fmt: skip
    return needs


def before_of(request: web.Request) -> int | None:
    """Read from when to go on, in epoch milliseconds."""
    text = request.query.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None  # noqa: PLR2004


def _webhook_address(request: web.Request) -> str:
    environment = request.app[SESSION].environment
    return f"http://{environment.host}:{environment.port}/services/calldata"


def _one_of(text: str, choices: tuple[str, ...]) -> str:
    return text if text in choices else ""


def _day(request: web.Request, text: str, *, end: bool = False) -> int | None:
    """Read the begin of a day in the viewer's zone, or its end; a moment with a zone stands for itself."""
    zone = request.app[PAGES].zone_of(request)
    try:
        day = datetime.fromisoformat(text)
        if len(text) == len("2026-03-02") and end:
            day += timedelta(days=1)
        moment = (day if day.tzinfo else day.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None
    return round(moment * 1000) - (1 if end else 0) if 0 < moment < _LATEST else None
