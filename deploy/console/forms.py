"""The forms: each asks for confirmation, makes its change, and reports it on the next page."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from deploy.console.access import Visitor
from deploy.console.changes import Changes
from deploy.console.chores import Chore, Chores
from deploy.console.proposals import Fields, Outcome, Refused, fields_of, refused
from deploy.console.rendering import PAGES, SESSION, VISITOR, json_of, place_of, say, see_other

CHORES = web.AppKey("chores", Chores)
_ASKED = ("form_token", "sure", "next")


def add_forms(router: web.UrlDispatcher) -> None:
    """Add every address of a change."""
    router.add_post("/change/{name}", change)
    router.add_get("/chores/{chore_id}", chore_page)
    router.add_post("/chores/{chore_id}/stop", stop_chore)
    router.add_post("/api/v1/change/{name}", change_by_api)
    router.add_get("/api/v1/chores/{chore_id}", chore_by_api)
    router.add_post("/api/v1/chores/{chore_id}/stop", stop_by_api)


async def change(request: web.Request) -> web.StreamResponse:
    """Ask whether a change is meant, or make it and go back."""
    form = await request.post()
    fields = fields_of(form, form.getall)
    name, back = request.match_info["name"], place_of(fields.one("next", most=2000))
    try:
        proposal = await _changes(request).propose(name, fields)
        if proposal.asks and fields.one("sure") != "yes":
            kept = [(key, one) for key, texts in fields.values.items() if key not in _ASKED for one in texts]
            return request.app[PAGES].render(
                request, "confirm.html", proposal=proposal, change=name, kept=kept, back=back
            )
        outcome = await proposal.run()
    except Refused as refusal:
        raise refused(refusal) from None
    response = see_other(outcome.place or back)
    say(response, outcome.text, ok=outcome.ok)
    return response


async def change_by_api(request: web.Request) -> web.Response:
    """Make a change; the body is an object of the form's fields, each a text or a list of texts."""
    try:
        fields = Fields(_texts(await request.read()))
        outcome = await (await _changes(request).propose(request.match_info["name"], fields)).run()
    except Refused as refusal:
        raise refused(refusal) from None
    return json_of(_shape(outcome), status=202 if "chore" in outcome.details else 200)


async def chore_page(request: web.Request) -> web.StreamResponse:
    """Show how far a chore has come."""
    return request.app[PAGES].render(request, "chore.html", chore=_chore(request))


async def stop_chore(request: web.Request) -> web.StreamResponse:
    """Stop a chore after the step that it is at."""
    chore = _chore(request)
    chore.wants_stop.set()
    return see_other(f"/chores/{chore.chore_id}")


async def chore_by_api(request: web.Request) -> web.Response:
    """Return how far a chore has come."""
    return json_of(_chore(request).shape())


async def stop_by_api(request: web.Request) -> web.Response:
    """Stop a chore after the step that it is at."""
    chore = _chore(request)
    chore.wants_stop.set()
    return json_of(chore.shape())


def _chore(request: web.Request) -> Chore:
    user = _visitor(request).user
    found = request.app[CHORES].find(request.match_info["chore_id"])
    if found is None or not all(map(user.sees, found.destinations)):
        raise web.HTTPNotFound(text="There is no such work, or no more: the console that did it was started again.")
    return found


def _changes(request: web.Request) -> Changes:
    return Changes(request.app[SESSION], _visitor(request), request.app[CHORES], address=request.remote or "")


def _visitor(request: web.Request) -> Visitor:
    visitor = request[VISITOR]
    if visitor is None:
        raise web.HTTPUnauthorized
    return visitor


def _texts(body: bytes) -> dict[str, list[str]]:
    try:
        value = orjson.loads(body) if body else {}
    except ValueError:
        raise Refused("The body is no JSON.") from None
    if not isinstance(value, dict):
        raise Refused("The body must be an object.")
    texts: dict[str, list[str]] = {}
    for name, one in value.items():
        several = one if isinstance(one, list) else [one]
        if not all(isinstance(text, str | int | float) and not isinstance(text, bool) for text in several):
            raise Refused(f"The field {name} must be a text, a number or a list of them.")
        texts[name] = [str(text) for text in several]
    return texts


def _shape(outcome: Outcome) -> Mapping[str, Any]:
    return {"ok": outcome.ok, "count": outcome.count, "text": outcome.text, "details": dict(outcome.details)}
