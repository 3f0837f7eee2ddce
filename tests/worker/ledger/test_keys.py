"""The table of keys holds: Lua and Python use no other name, and the documentation prints it."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from tests.ledgers import Driver, unnamed
from worker.ledger import keys

ROOT = Path(__file__).parents[3]
SCRIPTS = files("worker.ledger") / "lua"
LUA = {path.name: path.read_text() for path in SCRIPTS.iterdir() if path.name.endswith(".lua")}
CONSTANTS = {value for name, value in vars(keys).items() if name.endswith("_KEY")}


def test_every_constant_is_a_row_and_every_row_has_one():
    """Each name begins one row of the table, and no row is without."""
    assert CONSTANTS == {key.name.partition("{")[0] for key in keys.KEYS}
    assert len(CONSTANTS) == len(keys.KEYS)


def test_lua_names_the_keys_of_the_table():
    """What a script writes between quotes as a key's name is a constant; between them they write nearly all."""
    written = {name for text in LUA.values() for name in re.findall(r"'(sb:[a-z]+:?)", text)}

    assert set() == written - CONSTANTS
    alone = {keys.PROBE_KEY, keys.FILLING_KEY, keys.SESSION_KEY, keys.WRONG_KEY, keys.FORMS_KEY, keys.TRACE_KEY}
    assert alone == CONSTANTS - written


def test_python_names_no_key_but_in_the_table():
    """Whoever needs a name imports it."""
    rooms = ("schemas", "worker", "tasks", "receiver", "deploy")
    paths = [path for room in rooms for path in (ROOT / room).rglob("*.py")]

    assert {"worker/ledger/keys.py"} == {
        str(path.relative_to(ROOT)) for path in paths if re.search(r"[\"'{]sb:", path.read_text())
    }


def test_the_documentation_prints_the_table():
    """docs/architecture.md holds what ``python -m worker.ledger.keys`` prints."""
    assert keys.as_table() in (ROOT / "docs/architecture.md").read_text()


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (("SET", "sb:new", "1"), "sb:new: no row of the table"),
        (("SET", "sb:calls", "1"), "sb:calls: a string"),
        (("HSET", "sb:gate:crm", "odd", "1"), "sb:gate:crm: no field odd"),
        (("SET", "sb:m:c1", ""), "sb:m:c1: does not expire"),
        (("SET", "sb:bodybytes", "1", "EX", "5"), "sb:bodybytes: expires"),
    ],
)
async def test_what_the_table_lacks_is_found(driver: Driver, command: tuple[str, ...], fault: str):
    """A key, a type, a field or a lifetime that the table does not name fails the test that left it."""
    await driver.redis.execute_command(*command)

    assert [fault] == await unnamed(driver.redis)
    await driver.redis.delete(command[1])
