"""The API ``/api/v1``: the pages' values as JSON, the same as the command line's ``--json``."""

from aiohttp import web

from deploy.console import openapi
from deploy.console.call_finder import PAGE
from deploy.console.pages import before_of, filter_of, queries_of, visitor_of
from deploy.console.rendering import SESSION, json_of
from schemas.delivery import State

_STATES = tuple(state.value for state in State)


def add_api(router: web.UrlDispatcher) -> None:
    """Add every address of the API that reads; ``openapi.json`` describes them, and those that change something."""
    router.add_get("/api/v1/openapi.json", document)
    router.add_get("/api/v1/session", session)
    router.add_get("/api/v1/calls", calls)
    router.add_get("/api/v1/calls/{call_id:.+}", call)
    router.add_get("/api/v1/deliveries", deliveries)
    router.add_get("/api/v1/destinations", destinations)
    router.add_get("/api/v1/dead", dead)
    router.add_get("/api/v1/stats", stats)
    router.add_get("/api/v1/audit", audit)


async def document(request: web.Request) -> web.Response:
    """Return the document of this API."""
    del request
    return json_of(openapi.document())


async def session(request: web.Request) -> web.Response:
    """Return the visitor, and the token that a change needs."""
    visitor = visitor_of(request)
    user = visitor.user
    seen = None if user.destinations is None else sorted(user.destinations)
    return json_of({"user": user.name, "role": user.role, "destinations": seen, "form_token": visitor.form_token})


async def calls(request: web.Request) -> web.Response:
    """Return a page of calls."""
    return json_of(await queries_of(request).calls(filter_of(request)))


async def call(request: web.Request) -> web.Response:
    """Return one call whole."""
    shape = await queries_of(request).call(request.match_info["call_id"])
    if shape is None:
        raise web.HTTPNotFound(text="There is no such call.")
    return json_of(shape)


async def deliveries(request: web.Request) -> web.Response:
    """Return the deliveries of a page of calls."""
    state = request.query.get("state", "")
    if state and state not in _STATES:
        raise web.HTTPBadRequest(text=f"state must be one of {', '.join(_STATES)}.")
    return json_of(await queries_of(request).deliveries(filter_of(request), state=state))


async def destinations(request: web.Request) -> web.Response:
    """Return every destination."""
    return json_of(await queries_of(request).destinations())


async def dead(request: web.Request) -> web.Response:
    """Return the newest dead letters, or with ``by=cause`` their causes."""
    asked = request.query
    if asked.get("by") == "cause":
        groups, whole = await queries_of(request).dead()
        shown = [{name: value for name, value in group.items() if name != "letters"} for group in groups]
        return json_of({"causes": shown, "whole": whole})
    found = []
    async for line in queries_of(request).dead_lines(asked.get("destination", "")[:40], asked.get("reason", "")[:100]):
        found.append(line)
        if len(found) == PAGE:
            break
    return json_of({"dead": found})


async def stats(request: web.Request) -> web.Response:
    """Return the figures of the first page."""
    service, user = request.app[SESSION], visitor_of(request).user
    overview = await service.ledger.overview(service.settings.destinations)
    found = await queries_of(request).destinations()
    figures = {
        "calls": overview.calls, "waiting": overview.waiting, "unrouted": overview.unrouted,
        "no_start": overview.no_start, "quarantined": overview.quarantined, "workers": overview.workers,
    }  # fmt: skip
    return json_of({"ledger": figures if user.destinations is None else None, "destinations": found})


async def audit(request: web.Request) -> web.Response:
    """Return what was changed, the newest first."""
    if visitor_of(request).user.destinations is not None:
        raise web.HTTPForbidden(text="The audit is about everything: only users of all destinations see it.")
    asked = request.query
    return json_of(await queries_of(request).audit(who=asked.get("who", "")[:100], until_ms=before_of(request)))
