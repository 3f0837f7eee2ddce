"""A pytest plugin for the test of the tests: while a test runs, the stand-ins say something else in one place.

``pytest -p tests.changes --changes plan.json`` reads, by node id, vendors and what is changed of their answers, runs
each test once for each of its changes, and writes beside the plan what became of it. An empty change changes nothing.
"""

import json
import re
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from _pytest.runner import runtestprotocol

from deploy.local.standins.app import StandIns
from deploy.local.standins.wire import Answer

_ENDPOINT = re.compile(r"(GET|POST) (/\S+)")
_STATUS = re.compile(r"(\d{3}) [A-Z][A-Za-z ]+")


def changes_of(text: str) -> list[dict[str, Any]]:
    """Return the changes that a row's text calls for, one after the other.

    An endpoint moves, an HTTP status and a sentence become others, and of a JSON object each value does; ``...`` in it
    stands for what the row leaves out.
    """
    if found := _ENDPOINT.fullmatch(text):
        return [{"method": found[1], "path": re.sub(r":\w+", "[^/]+", found[2])}]
    if found := _STATUS.fullmatch(text):
        return [{"status": int(found[1])}]
    if text.startswith("{"):
        return [{"at": at, "value": value} for at, value in _leaves(json.loads(re.sub(r"\.\.\.(, )?", "", text)), [])]
    return [{"words": text}]


def changed(value: Any) -> Any:
    """Return another value of the same kind: a text differs in its last letter."""
    match value:
        case bool():
            return not value
        case str():
            return value[:-1] + ("y" if value.endswith("x") else "x")
        case _:
            return value + 1


def revised(method: str, path: str, answer: Answer, *, vendor: str, change: dict[str, Any]) -> Answer:
    """Return the changed answer."""
    if not path.startswith(f"/{vendor}/"):
        return answer
    if "path" in change:
        moved = method == change["method"] and re.fullmatch(change["path"], path.removeprefix(f"/{vendor}"))
        return Answer(b"404: Not Found", status=404) if moved else answer
    if "status" in change:
        return Answer(answer.wire(), status=answer.status + (answer.status == change["status"]), headers=answer.headers)
    body = answer.wire()
    if "words" in change:
        body = body.replace(change["words"].encode(), changed(change["words"]).encode())
    else:
        body = _with_leaf(body, change["at"], change["value"])
    return Answer(body, status=answer.status, headers=answer.headers)


def _leaves(value: Any, at: list[Any]) -> Generator[tuple[list[Any], Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _leaves(inner, [*at, key])
    if not isinstance(value, dict | list):
        yield at, value


def _with_leaf(body: bytes, at: list[Any], value: Any) -> bytes:
    """Change one value of a JSON body, where it stands there as expected."""
    try:
        document = holder = orjson.loads(body)
        for key in at[:-1]:
            holder = holder[key]
        if holder[at[-1]] == value:
            holder[at[-1]] = changed(value)
    except (ValueError, LookupError, TypeError):
        return body
    return orjson.dumps(document)


class Changes:
    """Runs each planned test once for each of its changes, laid on the stand-ins that it is given."""

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._changes: dict[str, list[dict[str, Any]]] = json.loads(plan.read_text())
        self._change: dict[str, Any] | None = None
        self._collected: list[str] = []
        self._outcomes: list[tuple[str, dict[str, Any] | None, str]] = []

    def _of(self, item: pytest.Item) -> list[dict[str, Any]]:
        """Return the changes for a test; those of a whole function hold for each of its cases."""
        return self._changes.get(item.nodeid) or self._changes.get(item.nodeid.partition("[")[0]) or []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what there is, and run what is planned."""
        self._collected = [item.nodeid for item in items]
        items[:] = [item for item in items if self._of(item)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test once for each change, as a plugin that repeats tests does: with fixtures made anew."""
        changes = self._of(item)
        for place, change in enumerate(changes, 1):
            self._change = change
            item._initrequest()  # type: ignore[attr-defined]
            # Between two runs what follows is the test's module: were it the test itself, its fixtures would be kept.
            following = nextitem if place == len(changes) else item.parent
            reports = runtestprotocol(item, log=False, nextitem=following)  # type: ignore[arg-type]
            end = next((report.outcome for report in reports if report.when == "call"), "error")
            self._outcomes.append((item.nodeid, change, "skipped" if reports[0].skipped else end))
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Change what the stand-ins of this test say."""
        for standins in (given for given in getattr(item, "funcargs", {}).values() if isinstance(given, StandIns)):
            if self._change and self._change["change"]:
                standins.store.revise = partial(revised, **self._change)

    def pytest_sessionfinish(self) -> None:
        """Write what was there, and how each test ended under each of its changes."""
        found = {"collected": self._collected, "outcomes": self._outcomes}
        self._plan.with_suffix(".found").write_text(json.dumps(found))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the plan."""
    parser.addoption("--changes", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Read the plan."""
    config.pluginmanager.register(Changes(config.getoption("--changes")), "changes")
