"""The console's app: its addresses, who may see them, and the headers of every answer."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import hdrs, web
from redis import RedisError

from deploy.cli.session import Session
from deploy.console.access import Access, LoginRefused, Visitor
from deploy.console.api import add_api
from deploy.console.chores import Chores
from deploy.console.forms import CHORES, add_forms
from deploy.console.pages import ENDING, add_pages
from deploy.console.rendering import ACCESS, PAGES, SESSION, VISITOR, Pages, place_of, see_other
from deploy.console.reports import add_reports

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_FORM: Final = 64 * 1024  # bytes; ids and a few fields
STATIC: Final = Path(str(files("deploy.console") / "static"))

_OPEN: Final = ("/static/", "/healthz")
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def create_app(*, session: Session, access: Access) -> web.Application:
    """Build the application."""
    app = web.Application(middlewares=[told, guarded], client_max_size=MAX_FORM)
    app.on_response_prepare.append(add_headers)
    app[SESSION], app[ACCESS] = session, access
    app[PAGES], app[CHORES], app[ENDING] = Pages(session.settings), Chores(), asyncio.Event()
    app.on_shutdown.append(end)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/login", login_page)
    app.router.add_post("/login", login)
    app.router.add_post("/logout", logout)
    app.router.add_post("/zone", choose_zone)
    add_pages(app.router)
    add_forms(app.router)
    add_reports(app.router)
    add_api(app.router)
    app.router.add_static("/static", STATIC)
    return app


async def end(app: web.Application) -> None:
    """Let streams end and chores stop."""
    app[ENDING].set()
    await app[CHORES].close()


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers of every answer; the browser may keep the files alone."""
    response.headers.update(_HEADERS)
    if request.path.startswith("/static/"):
        response.headers["Cache-Control"] = "public, max-age=300"


@web.middleware
async def told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what goes wrong into a page or a JSON value that says so; no traceback and no address leaves."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise
    except web.HTTPException as error:
        return answer(request, error.status, error.text or error.reason, dict(error.headers))
    except (RedisError, OSError) as error:
        log.warning("ledger.unavailable", error=type(error).__name__, path=request.path)
        return answer(request, 503, "Redis does not answer. Webhooks are still taken; this page tries again.", {})
    except Exception:
        log.exception("console.failed", path=request.path)
        return answer(request, 500, "Something went wrong here; the console's log says what.", {})


@web.middleware
async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Admit visitors; a change must come from a page of ours and from a visitor who may change things."""
    if request.path.startswith(_OPEN):
        return await handler(request)
    access = request.app[ACCESS]
    request[VISITOR] = visitor = await access.visitor(request)
    if request.path == "/login":
        _refuse_other_sites(request)
        return await handler(request)
    if visitor is None:
        if not access.signs_in:
            raise web.HTTPForbidden(text="This console is for users that its proxy names, or for this machine alone.")
        if request.path.startswith("/api/"):
            raise web.HTTPUnauthorized(text="Sign in, or send a name and a password (Basic).")
        back = f"?next={quote(request.rel_url.raw_path_qs, safe='')}" if request.method == hdrs.METH_GET else ""
        raise web.HTTPSeeOther(f"/login{back}")
    if request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
        await _check_change(request, visitor)
    return await handler(request)


async def _check_change(request: web.Request, visitor: Visitor) -> None:
    _refuse_other_sites(request)
    presented = request.headers.get("X-Form-Token", "")
    if not presented and request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        presented = str((await request.post()).get("form_token", ""))
    if not request.app[ACCESS].is_genuine(visitor, presented):
        raise web.HTTPForbidden(
            text="This form is too old or not from here: go back, load the page anew and try again."
        )
    if not visitor.may_act and request.path not in {"/logout", "/zone"}:
        raise web.HTTPForbidden(text="You may look, and change nothing: ask an operator.")


def _refuse_other_sites(request: web.Request) -> None:
    """Refuse what a page of another site sends; browsers name the sender's site."""
    if request.method == hdrs.METH_GET:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise web.HTTPForbidden(text="This was sent by a page of another site.")


def answer(request: web.Request, status: int, text: str, extra: dict[str, str]) -> web.Response:
    """Return what went wrong as a page or as JSON, whichever was asked for."""
    kept = {name: value for name, value in extra.items() if name in {"Allow", "Retry-After"}}
    if request.path.startswith("/api/"):
        return web.json_response({"error": text}, status=status, headers=kept)
    response = request.app[PAGES].render(request, "problem.html", status=status, code=status, text=text)
    response.headers.update(kept)
    return response


async def healthz(request: web.Request) -> web.Response:
    """Answer that the process lives."""
    del request
    return web.Response(text="ok\n")


async def login_page(request: web.Request) -> web.StreamResponse:
    """Show the page to sign in at."""
    if request[VISITOR] is not None:
        raise web.HTTPSeeOther("/")
    return request.app[PAGES].render(request, "login.html", next=place_of(request.query.get("next", "")))


async def login(request: web.Request) -> web.StreamResponse:
    """Sign in; a wrong password is told on the same page."""
    form = await request.post()
    access, target = request.app[ACCESS], place_of(str(form.get("next", "")))
    if not access.signs_in:
        raise web.HTTPSeeOther("/")
    try:
        token = await access.sign_in(request, str(form.get("name", "")), str(form.get("password", "")))
    except LoginRefused as refusal:
        status = 429 if refusal.wait_s else 401
        response = request.app[PAGES].render(request, "login.html", status=status, next=target, fault=str(refusal))
        if refusal.wait_s:
            response.headers["Retry-After"] = str(refusal.wait_s)
        return response
    redirect = see_other(target)
    access.keep(request, redirect, token)
    return redirect


async def logout(request: web.Request) -> web.StreamResponse:
    """Sign out."""
    redirect = see_other("/login" if request.app[ACCESS].signs_in else "/")
    await request.app[ACCESS].sign_out(request, redirect)
    return redirect


async def choose_zone(request: web.Request) -> web.StreamResponse:
    """Keep the zone in which the visitor wants times; an unknown one changes nothing."""
    form = await request.post()
    redirect = see_other(place_of(str(form.get("next", ""))))
    request.app[PAGES].keep_zone(redirect, str(form.get("zone", "")))
    return redirect
