"""The stand-ins as a process: keys by environment, a taken port, what they may import."""

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp

import deploy.local.standins
from deploy.local.standins.store import Accounts

FOLDER = Path(deploy.local.standins.__file__).parent


async def test_the_process_says_where_it_listens(standins_process: str):
    """The first line of its output ends with the address, which answers."""
    async with aiohttp.ClientSession() as session, session.get(f"{standins_process}/control/health") as reply:
        assert {"ok": True} == await reply.json()


def test_a_taken_port_is_one_plain_sentence():
    """Status 1 and one line, without a traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local.standins", "--port", port],
            capture_output=True,
            text=True,
            env=os.environ,
            timeout=30,
            check=False,
        )

    assert 1 == done.returncode
    assert [f"the stand-ins cannot listen on 127.0.0.1:{port}: address already in use"] == [
        line.lower() for line in done.stderr.splitlines()
    ]


def test_keys_come_from_the_environment():
    """A list in STANDINS_KAPTURE_KEYS replaces the default keys, and nothing else."""
    accounts = Accounts.read({"STANDINS_KAPTURE_KEYS": "one,two", "STANDINS_COMUNIK8_KEYS": ""})

    assert frozenset({"one", "two"}) == accounts.kapture_keys
    assert Accounts().comunik8_keys == accounts.comunik8_keys


def test_the_stand_ins_import_nothing_of_the_product():
    """Both sides cannot share one mistake: no stand-in imports schemas, worker, tasks or receiver."""
    rooms = set()
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                rooms.add((node.module or "").split(".")[0])
            elif isinstance(node, ast.Import):
                rooms |= {name.name.split(".")[0] for name in node.names}

    assert rooms.isdisjoint({"schemas", "worker", "tasks", "receiver"})
