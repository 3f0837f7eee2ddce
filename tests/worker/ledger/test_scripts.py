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
