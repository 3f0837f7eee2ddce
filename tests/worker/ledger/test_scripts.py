"""A script is sent with those shared parts alone that it uses: what is defined in vain costs every call of it."""

import re
from pathlib import Path

import pytest

import worker.ledger
from worker.ledger.scripts import needed, source

SHARED = """-- a comment
local call = redis.call

local function one(x) return call(x) end
local function two() return one('three') end

local function three() end
"""
SCRIPTS = sorted(path.stem for path in (Path(worker.ledger.__file__).parent / "lua").glob("*.lua"))
PARTS = {"prelude", "index", "figures"}


def test_a_script_gets_what_it_uses_and_what_that_uses():
    """In the order in which it stands; what is named in a comment or in a text is not used."""
    found = needed(SHARED, "return two() -- not three\n")

    assert ["call", "one", "two"] == re.findall(r"^local (?:function )?(\w+)", found, re.MULTILINE)
    assert "" == needed(SHARED, "return 1\n")


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in PARTS])
async def test_every_script_is_read_by_redis(redis, name: str):
    """With its parts."""
    assert re.fullmatch(r"[0-9a-f]{40}", await redis.script_load(source(name)))


RIGHTS = (Path(__file__).parents[3] / "docs" / "operate.md").read_text()
OF_LEDGER_COMMANDS = ("check_", "dump", "restore", "renumber", "regroup")
"""How the scripts begin that `switchboard ledger` alone runs."""


def _allowed(pattern: str) -> set[str]:
    [line] = re.findall(pattern, RIGHTS, re.MULTILINE)
    return {word[1:] for word in line.split() if word.startswith("+")}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_script_runs_with_the_rights_that_the_docs_name(redis, name: str):
    """Each command that stands in a script is in the list of docs/operate.md, whether it was reached or not."""
    code = re.sub(r"--.*$", "", source(name), flags=re.MULTILINE)
    known = set(map(str.lower, await redis.command()))
    used = {word.lower() for word in re.findall(r"'([A-Z]+)'", code)} & known

    allowed = _allowed(r"^(ACL SETUSER switchboard .*)$")
    if name.startswith(OF_LEDGER_COMMANDS):
        allowed |= _allowed(r"needs more for `switchboard ledger`[^:]*: `([^`]+)`")

    assert used <= allowed
