"""A console on a real socket over a real Redis, and browsers that keep cookies."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser as Chromium
from playwright.async_api import async_playwright
from redis.asyncio import Redis

from deploy.cli.session import Session
from deploy.console.access import Access, hash_password
from deploy.console.app import create_app
from deploy.console.chores import Chores
from deploy.console.forms import CHORES
from tasks.dispatch.planner import Planner
from tasks.vendors.registry import VENDORS
from tests.cli.conftest import CONFIG, Book
from tests.console.chromium import axe_source, running_chromium
from worker.config.environment import Environment
from worker.config.settings import load_settings
from worker.ledger.ledger import Ledger
from worker.ledger.sessions import Sessions

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
USERS = f"""
[console.users.ann]
password = "{HASH}"
role = "operator"

[console.users.vic]
password = "{HASH}"

[console.users.dora]
password = "{HASH}"
role = "operator"
destinations = ["dialler"]
"""


@dataclass
class Browser:
    """Asks a console as a browser would: with cookies, without following where it is sent."""

    client: aiohttp.ClientSession
    base: str
    last: str = ""

    async def get(self, path: str, *, status: int = 200, **options: Any) -> aiohttp.ClientResponse:
        """Ask for a page; its text is kept in ``last``."""
        return await self._ask("GET", path, status, options)

    async def post(self, path: str, *, status: int = 303, **options: Any) -> aiohttp.ClientResponse:
        """Send a form."""
        return await self._ask("POST", path, status, options)

    async def json(self, path: str, *, status: int = 200, **options: Any) -> Any:
        """Ask the API."""
        response = await self.get(path, status=status, **options)
        assert response.content_type == "application/json"
        return await response.json()

    async def token(self) -> str:
        """Return the token that this browser's forms carry."""
        return str((await self.json("/api/v1/session"))["form_token"])

    async def sign_in(self, name: str, password: str = PASSWORD, *, status: int = 303) -> aiohttp.ClientResponse:
        """Fill in the form of the first page."""
        return await self.post("/login", status=status, data={"name": name, "password": password})

    async def act(self, path: str, *, status: int = 303, **fields: str) -> aiohttp.ClientResponse:
        """Press a button: its form with the token in it."""
        return await self.post(path, status=status, data={**fields, "form_token": await self.token()})

    async def _ask(self, method: str, path: str, status: int, options: dict[str, Any]) -> aiohttp.ClientResponse:
        options.setdefault("allow_redirects", False)
        async with self.client.request(method, self.base + path, **options) as response:
            self.last = await response.text()
            assert status == response.status, f"{method} {path}: {response.status}\n{self.last[:2000]}"
            return response


@dataclass
class Console:
    """A running console, and its ledger."""

    session: Session
    base: str
    book: Book
    chores: Chores
    routes: list[web.AbstractRoute]
    config: Path
    stack: AsyncExitStack = field(repr=False)
    password: str = PASSWORD

    async def browser(self, name: str | None = None) -> Browser:
        """Open a browser of its own; ``name``: signed in."""
        jar = aiohttp.CookieJar(unsafe=True)  # an address without a name keeps cookies too
        client = await self.stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        browser = Browser(client, self.base)
        if name is not None:
            await browser.sign_in(name)
        return browser


Start = Callable[..., Awaitable[Console]]


@pytest.fixture
async def start(redis_url: str, tmp_path: Path) -> AsyncIterator[Start]:
    """Return a starter of consoles; ``users`` is what stands in the configuration beside everything else."""
    async with AsyncExitStack() as stack:

        async def begin(
            users: str = USERS, *, host: str = "127.0.0.1", url: str = redis_url, **environ: str
        ) -> Console:
            file = tmp_path / "switchboard.toml"
            file.write_text(CONFIG + users)
            settings = load_settings(file, {}, specs=[vendor.spec for vendor in VENDORS.values()])
            environment = Environment.read({"REDIS_URL": url, "SPOOL_PATH": "", **environ})
            redis = await stack.enter_async_context(Redis.from_url(url, decode_responses=True))
            ledger = Ledger(redis)
            session = Session(environment=environment, settings=settings, ledger=ledger)
            access = Access(settings=settings.console, sessions=Sessions(ledger), host=host)
            app = create_app(session=session, access=access)
            server = TestServer(app, host="127.0.0.1")
            await stack.enter_async_context(server)
            book = Book(ledger, Planner(settings=settings, vendors=VENDORS))
            return Console(
                session,
                str(server.make_url("/")).rstrip("/"),
                book,
                app[CHORES],
                list(app.router.routes()),
                file,
                stack,
            )

        yield begin


@pytest.fixture
async def console(start: Start) -> Console:
    """Return a console with an operator ann, a viewer vic, and dora, who handles the dialler alone."""
    return await start()


@pytest.fixture(scope="module")
def chromium_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return where a browser of this file's tests is spoken with."""
    with running_chromium(tmp_path_factory.mktemp("chromium")) as url:
        yield url


@pytest.fixture
async def chromium(chromium_url: str) -> AsyncIterator[Chromium]:
    """Return the browser; its windows are closed at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium_url)
        yield browser
        for context in browser.contexts:
            await context.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the source of axe-core."""
    return axe_source(tmp_path_factory.mktemp("axe"))
