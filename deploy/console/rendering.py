"""The rendering of pages: templates, times in the viewer's zone, masked numbers, plain words."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from unicodedata import category
from urllib.parse import quote, unquote, urlencode
from zoneinfo import ZoneInfo, available_timezones

import orjson
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from deploy.cli.session import Session
from deploy.console.access import Access, Visitor
from deploy.console.story import standing, vendor_name, why
from schemas.zones import zones
from worker.config.settings import Settings

SESSION: Final = web.AppKey("session", Session)
ACCESS: Final = web.AppKey("access", Access)
VISITOR: Final[web.RequestKey[Visitor | None]] = web.RequestKey("visitor")

ZONE_COOKIE: Final = "zone"
ZONE_KEPT_S: Final = 400 * 86_400
SAID_COOKIE: Final = "said"
_LONGEST_SAID: Final = 600  # characters
_MARK: Final = "".join(c for c in map(chr, range(0x300, 0x2100)) if category(c) in {"Mn", "Me"})
_MARKS: Final = re.compile(f"([{_MARK}]{{4}})[{_MARK}]+")

_WORDS: Final = {
    "queued": "waiting to be sent",
    "in_flight": "being sent",
    "retrying": "will be tried again",
    "held": "held back",
    "delivered": "delivered",
    "dead": "given up",
    "skipped": "not sent",
    "cancelled": "cancelled",
    "waiting": "waiting for the other half of the call",
    "ready": "complete",
    "unrouted": "matches no route",
    "no_start": "its start never came",
}
"""What a state means to somebody who reads it for the first time."""

_TONES: Final = {
    "delivered": "good", "ready": "good", "ok": "good", "answered": "good",
    "dead": "bad", "no_start": "bad", "unrouted": "bad", "blocked": "bad",
    "held": "warn", "retrying": "warn", "circuit open": "warn", "paused": "warn",
}  # fmt: skip


class Pages:
    """Renders templates; everything that others wrote is escaped."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._zones = available_timezones()
        self._templates = Environment(
            loader=PackageLoader("deploy.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True, finalize=_shown,
        )  # fmt: skip
        self._templates.filters |= {
            "when": when,
            "ago": ago,
            "tone": tone,
            "words": words,
            "many": many,
            "weblink": weblink,
            "plain": plain,
            "whole": escape,
            "cut": cut,
        }
        self._templates.globals |= {"query": query, "vendor_name": vendor_name, "why": why, "standing": standing}

    def render(self, request: web.Request, name: str, *, status: int = 200, **values: Any) -> web.Response:
        """Write a page for a visitor."""
        visitor = request.get(VISITOR)
        said = unquote(request.cookies.get(SAID_COOKIE, ""))
        shared = {
            "visitor": visitor,
            "form_token": visitor.form_token if visitor else "",
            "signs_in": request.app[ACCESS].signs_in,
            "zone": self.zone_of(request),
            "said": said,
            "here": request.path,
            "here_whole": request.rel_url.raw_path_qs,
            "now": datetime.now(UTC),
            "flower_url": request.app[SESSION].environment.flower_url,
        }
        text = self._templates.get_template(name).render(shared | values)
        response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
        if said:
            response.del_cookie(SAID_COOKIE, path="/")
        return response

    def zone_of(self, request: web.Request) -> ZoneInfo:
        """Return the zone in which the viewer wants times; UTC until one is chosen."""
        name = unquote(request.cookies.get(ZONE_COOKIE, ""))
        return zones().zone(name if name in self._zones else "UTC")

    def keep_zone(self, response: web.StreamResponse, name: str) -> None:
        """Let the browser keep a zone."""
        if name in self._zones:
            response.set_cookie(ZONE_COOKIE, quote(name, safe=""), max_age=ZONE_KEPT_S, path="/", samesite="Strict")


PAGES: Final = web.AppKey("pages", Pages)


def json_of(value: Any, *, status: int = 200) -> web.Response:
    """Answer with a JSON value."""
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")


def place_of(text: str) -> str:
    """Return an address within this console; one that could lead elsewhere becomes the first page."""
    usable = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable() and len(text) < 2000  # noqa: PLR2004
    return text if usable and "\\" not in text else "/"


def say(response: web.StreamResponse, text: str, *, ok: bool) -> None:
    """Let the next page begin with a sentence about what was done."""
    said = quote(f"{'ok' if ok else 'no'}:{text}"[:_LONGEST_SAID])
    response.set_cookie(SAID_COOKIE, said, max_age=60, path="/", httponly=True, samesite="Strict")


def _shown(value: Any) -> Any:
    """Return what a template prints: texts of others without control characters; markup of ours as it is."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def plain(text: str) -> str:
    """Return a text without characters that a screen cannot show, and without those that turn its direction.

    Of marks that stand upon the letter before them (accents) four are kept: a line breaks at none of them.
    """
    if text.isascii() and text.isprintable():
        return text
    return _MARKS.sub(r"\1", "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text))


def cut(text: object, most: int) -> object:
    """Return a text of others at a length that a page can bear, and say how much is left out."""
    if not isinstance(text, str) or len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text) - most:,} more characters)"


def weblink(text: str) -> str:
    """Return an address that may be linked to; empty for whatever is none of the web."""
    return text if text.startswith(("https://", "http://")) else ""


def see_other(place: str) -> web.Response:
    """Send the browser to another page."""
    return web.Response(status=303, headers={"Location": place})


def when(value: str | float | None, zone: ZoneInfo) -> Markup | str:
    """Write a moment (ISO 8601 or epoch milliseconds) in a zone, as an element that scripts can read."""
    if not value:
        return ""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value / 1000, UTC)
    local = moment.astimezone(zone)
    return Markup('<time datetime="{}">{} {}</time>').format(
        moment.astimezone(UTC).isoformat(timespec="seconds"), local.strftime("%d %b %Y, %H:%M:%S"), local.tzname()
    )


def ago(seconds: float | None) -> str:
    """Write an age as people say it: ``12 s``, ``4 min``, ``3 h``, ``2 days``."""
    if seconds is None:
        return ""
    for length, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length or (unit != "days" and seconds >= length):
            return f"{seconds // length:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def tone(state: str) -> str:
    """Return the class in which a state is coloured; it is told in words as well."""
    return _TONES.get(state, "plain")


def words(state: str) -> str:
    """Return what a state means."""
    return _WORDS.get(state, state.replace("_", " "))


def many(count: int, one: str, more: str | None = None) -> str:
    """Write a count with its noun: ``1 call``, ``2 calls``."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def query(values: Mapping[str, Any], **changes: Any) -> str:
    """Write the query of a link: the present filters with some changed; what is empty is left out."""
    wanted = {name: value for name, value in {**values, **changes}.items() if value not in {None, ""}}
    return f"?{urlencode(wanted)}" if wanted else ""


def day_of(moment: datetime, zone: ZoneInfo) -> tuple[int, int]:
    """Return the begin and the end of a moment's day in a zone, in epoch milliseconds."""
    local = moment.astimezone(zone)
    begin = local.replace(hour=0, minute=0, second=0, microsecond=0)
    end = (begin + timedelta(days=1)).replace(fold=0)
    return round(begin.timestamp() * 1000), round(end.timestamp() * 1000)
