"""The table of docs/documents.md is true: each named test is there, and minds the text of its row.

A stand-in that says something else in the row's place must make the named test fail. Delacon's texts are our own
answers, so they are changed in a copy of the receiver.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.changes import changed, changes_of

ROOT = Path(__file__).parents[1]
LIMIT_S = 150
DOCUMENTS = ("Delacon", "Captorra", "Comunik8", "Kapture", "Callcap")
OURS = ("tests/tasks/vendors/test_documented_answers.py", "tests/receiver/test_documented_events.py")
_CODE = re.compile(r"(`+)(.+?)\1(?!`)")


Planned = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    document: str
    text: str
    test: str


def read_rows() -> list[Row]:
    """Read the table; a row's text is the first code of its second column."""
    rows = []
    for line in (ROOT / "docs/documents.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1] in DOCUMENTS:
            text, test = (_CODE.search(cell) for cell in (cells[2], cells[4]))
            assert text, line
            assert test, line
            rows.append(Row(cells[1], text[2], test[2]))
    return rows


@dataclass(frozen=True)
class Found:
    """What a run under changes came to."""

    collected: list[str]
    outcomes: list[tuple[str, Planned, str]]
    """A test, what was changed, and how the test ended."""


ROWS = read_rows()
pytestmark = pytest.mark.xdist_group("documents")


def planned() -> dict[str, list[Planned]]:
    """Return the changes to be made for each test; a change of the receiver is made in its copy, once for all.

    Behind them each test meets stand-ins that say what they always say: its failures are the changes' doing.
    """
    plan: dict[str, list[Planned]] = defaultdict(list)
    for row in ROWS:
        for change in changes_of(row.text):
            plan[row.test].append({"vendor": row.document.lower(), "change": change})
    for changes in plan.values():
        if changes[0]["vendor"] != "delacon":
            changes.append({"vendor": changes[0]["vendor"], "change": {}})
    return plan


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Run the named tests under their changes, in a process of its own."""
    folder = tmp_path_factory.mktemp("changes")
    change_receiver(shutil.copytree(ROOT / "receiver", folder / "receiver"))
    plan = folder / "plan.json"
    plan.write_text(json.dumps(planned()))
    files = sorted({row.test.partition("::")[0] for row in ROWS})
    options = ["-q", "-p", "no:cacheprovider", "-p", "tests.changes", f"--changes={plan}"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-o", f"pythonpath={folder} .", *files],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    results = plan.with_suffix(".found")
    assert results.exists(), done.stdout + done.stderr
    return Found(**json.loads(results.read_text()))


def change_receiver(copy: Path) -> None:
    """Let a copy of the receiver listen elsewhere, and answer other words."""
    for row in ROWS:
        word = row.text.rpartition(" ")[2]
        for path in copy.glob("*.py") if row.document == "Delacon" else ():
            path.write_text(path.read_text().replace(f'"{word}"', f'"{changed(word)}"'))


def test_every_document_has_its_rows():
    """All five, and no row twice."""
    assert set(DOCUMENTS) == {row.document for row in ROWS}
    assert len(ROWS) == len(set(ROWS))


def test_every_named_test_is_there(found: Found):
    """Under the name that the table gives it; and none that was written for a text is left out of the table."""
    named = {row.test for row in ROWS}
    there = set(found.collected)

    assert set() == named - there - {node.partition("[")[0] for node in there}
    assert set() == {node for node in there if node.startswith(OURS)} - named


def test_a_changed_text_fails_its_test(found: Found):
    """Each address moved, each status, sentence and value of an answer another: one at a time, and the test fails."""
    skipped = set() if os.environ.get("CI") else {"skipped"}  # for want of a Redis
    ran = Counter(name for node, _, _ in found.outcomes for name in {node, node.partition("[")[0]})
    wrong = [
        (node, made, end)
        for node, made, end in found.outcomes
        if end not in {"failed" if made["change"] else "passed"} | skipped
    ]

    assert [] == wrong
    assert {} == {test: ran[test] for test, changes in planned().items() if ran[test] < len(changes)}
