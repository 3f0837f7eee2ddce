"""The API: the values of the command line, as its document says."""

import asyncio
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from deploy.console.changes import CHANGES
from deploy.console.openapi import document
from tests.cli.conftest import Cli
from tests.console.conftest import PASSWORD, Console
from worker.ledger.audit import Actor, note
from worker.ledger.records import Verdict

DOCUMENT = document()
READ = {path: item["get"] for path, item in DOCUMENT["paths"].items() if "get" in item}
WORDS = st.text(max_size=40) | st.sampled_from(
    ["cause", "ready", "dead", "law", "9" * 30, "1.all.x", "2026-03-02", "9999-12-31", "0001-01-01", "-1", "%00", "a/b"]
)


async def fill(console: Console) -> None:
    """Bring in calls of each kind, and give one up."""
    await console.book.call("answered")
    await console.book.call("missed", result="Unanswered")
    await console.book.call("open", result=None)
    await console.book.call("unrouted", result="Transferred")
    await console.book.end("dialler", Verdict.DEAD, reason="rejected", reply="Please provide surname")


@pytest.mark.parametrize(
    ("path", "command", "name"),
    [
        ("/calls", "calls list", "calls"),
        ("/calls/missed", "calls show missed", None),
        ("/deliveries", "deliveries list", "deliveries"),
        ("/dead", "dead list", "dead"),
        ("/dead?by=cause", "dead list --by cause", "causes"),
        ("/audit", "audit list", "audit"),
    ],
)
async def test_the_values_are_those_of_the_command_line(
    console: Console, path: str, command: str, name: str | None
) -> None:
    """What ``--json`` prints is what the API gives, key by key."""
    await fill(console)
    actor = Actor(who="ann", door="console", address="127.0.0.1")
    await note(console.session.ledger, actor.does("destinations.test", "law"))
    browser = await console.browser("ann")
    environ = {"REDIS_URL": console.session.environment.redis_url, "SWITCHBOARD_CONFIG": str(console.config)}
    cli = Cli(console.config.parent, environ["REDIS_URL"], environ)

    found = await browser.json(f"/api/v1{path}")
    printed = await asyncio.to_thread(cli.json, *command.split())

    assert printed
    assert printed == (found[name] if name else found)


@pytest.mark.parametrize("path", READ)
async def test_answers_are_as_the_document_says(console: Console, path: str) -> None:
    """Each address of the document answers, and its answer fits its schema."""
    await fill(console)
    browser, asked = await console.browser("ann"), path
    if "chore_id" in path:
        cause = (await browser.json("/api/v1/dead?by=cause"))["causes"][0]["cause"]
        body = {"destination": "dialler", "cause": cause}
        headers = {"X-Form-Token": await browser.token()}
        done = await browser.post("/api/v1/change/dead.replay", status=202, json=body, headers=headers)
        path = path.replace("{chore_id}", (await done.json())["details"]["chore"])

    found = await browser.json(path.replace("{call_id}", "missed"))

    check(READ[asked], found, "200")


async def test_the_document_names_every_address(console: Console) -> None:
    """What the console serves below /api/v1 stands in the document, and nothing else does."""
    served = {
        (route.method, _named(route.resource.canonical))
        for route in console.routes
        if route.resource is not None and route.resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
    }
    told = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    told = {one for one in told if not one[1].startswith("/api/v1/change/")} | {("POST", "/api/v1/change/{name}")}

    assert served - told == {("GET", "/api/v1/openapi.json")}
    assert told - served == set()
    assert {f"/api/v1/change/{name}" for name in CHANGES} <= set(DOCUMENT["paths"])


@pytest.mark.parametrize("path", [path for path in READ if "{" not in path])
async def test_whatever_is_asked_the_answer_fits(console: Console, path: str) -> None:
    """Generated queries get no 500, and no answer that breaks the document."""
    await fill(console)
    browser = await console.browser()
    basic = {"Authorization": aiohttp.encode_basic_auth("ann", PASSWORD)}
    names = [one["name"] for one in READ[path]["parameters"]] or ["x"]
    loop = asyncio.get_running_loop()

    async def ask(query: dict[str, str]) -> tuple[int, Any]:
        async with browser.client.get(browser.base + path, params=query, headers=basic) as response:
            return response.status, await response.json()

    @given(query=st.dictionaries(st.sampled_from(names), WORDS, max_size=4))
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def fuzz(query: dict[str, str]) -> None:
        status, found = asyncio.run_coroutine_threadsafe(ask(query), loop).result(20)
        assert status in {200, 400}
        check(READ[path], found, str(status))

    await asyncio.to_thread(fuzz)


@pytest.mark.parametrize("name", CHANGES)
async def test_whatever_change_is_asked_the_answer_fits(console: Console, name: str) -> None:
    """Generated fields of a change get no 500; what cannot be done is said in the document's words."""
    await fill(console)
    browser = await console.browser()
    basic = {"Authorization": aiohttp.encode_basic_auth("ann", PASSWORD)}
    fields = st.sampled_from(["key", "destination", "cause", "rate", "number", "id", "call_id", "service"])
    known = st.sampled_from(["law", "dialler", "missed:dialler:create", "missed", "+61491570156", "5"])
    loop = asyncio.get_running_loop()
    post = DOCUMENT["paths"][f"/api/v1/change/{name}"]["post"]

    async def ask(body: Any) -> tuple[int, Any]:
        async with browser.client.post(f"{browser.base}/api/v1/change/{name}", json=body, headers=basic) as response:
            return response.status, await response.json()

    @given(
        body=st.dictionaries(fields, WORDS | known | st.integers() | st.lists(WORDS | known, max_size=3), max_size=4)
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def fuzz(body: Any) -> None:
        status, found = asyncio.run_coroutine_threadsafe(ask(body), loop).result(20)
        check(post, found, str(status))

    await asyncio.to_thread(fuzz)


def check(operation: dict[str, Any], found: Any, status: str) -> None:
    """Hold an answer against the schema of its status."""
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    Draft202012Validator(schema).validate(found)


def _named(canonical: str) -> str:
    return canonical.replace("{call_id:.+}", "{call_id}")
