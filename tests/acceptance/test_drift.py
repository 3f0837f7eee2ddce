"""Workers whose configuration files differ: nobody loses a delivery to the older one, and the difference is told."""

import json
import os
from pathlib import Path

from tests.acceptance.looks import command, get, readyz
from tests.acceptance.stack import CONFIG, end_of, landed, start_of

CALLS = 30


def _older(config: Path) -> Path:
    """Write the configuration of an hour ago, which knows neither Kapture's account nor the way there."""
    text = config.read_text()
    older = config.with_name("older.toml")
    without = text[: text.index("[destinations.crm]")] + text[text.index("[[routes]]") :]
    older.write_text(without.replace(', "crm"', ""))
    hour_ago = config.stat().st_mtime - 3600
    os.utime(older, (hour_ago, hour_ago))
    return older


def _push(stack, begin: int, end: int) -> None:
    for number in range(begin, end):
        assert 200 == stack.post("create", start_of(f"drift-{number}", f"+614915701{number:02}"))[0]
        assert 200 == stack.post("update", end_of(f"drift-{number}"))[0]


def test_the_newest_configuration_plans_whoever_started_first(make_stack, free_port):
    """Every call goes to three vendors, though the first worker knows two; it plans again when the other has gone."""
    stack = make_stack(config=CONFIG, environ={"METRICS_PORT": ""})
    newest = Path(stack.environ["SWITCHBOARD_CONFIG"])
    stack.environ |= {"SWITCHBOARD_CONFIG": str(_older(newest)), "METRICS_PORT": str(free_port)}
    stack.start_worker("older")
    stack.environ |= {"SWITCHBOARD_CONFIG": str(newest), "METRICS_PORT": ""}
    stack.start_receiver()
    stack.start_worker("newer")
    stack.wait_for(stack.receiver_answers, 20, "the receiver")
    stack.wait_for(lambda: readyz(stack)["workers"] == 2, 20, "two workers")
    stack.wait_for(lambda: "planning.left" in stack.log("older"), 20, "the older one to leave the planning")
    _push(stack, 0, CALLS)
    stack.wait_for(lambda: landed(stack, CALLS), 30, f"{CALLS} records at each vendor")

    told = readyz(stack)["config"]
    _, doctor = command(stack, "doctor")
    older_build = get(f"http://127.0.0.1:{free_port}/metrics")[1]
    own_build = get(f"http://127.0.0.1:{stack.port}/metrics")[1]
    assert [1, 1] == sorted(len(names) for names in told["differing"].values())
    assert ["newer@test"] == told["differing"][told["digest"]]
    assert any("configuration" in warning and "older@test" in warning for warning in doctor["warnings"])
    assert f'config="{told["digest"]}"' in own_build
    [other] = told["differing"].keys() - {told["digest"]}
    assert f'config="{other}"' in older_build

    stack.kill("newer")
    stack.wait_for(lambda: "planning.taken" in stack.log("older"), 30, "the older one to plan again")
    _push(stack, CALLS, CALLS + 1)
    last = f"drift-{CALLS}"
    stack.wait_for(lambda: command(stack, "calls", "show", last)[1]["routes"] == ["law", "dialler"], 30, "its own plan")


def test_an_older_worker_that_starts_later_plans_nothing(make_stack):
    """It learns of the newer configuration before it takes its first call; routes count as destinations do."""
    stack = make_stack()
    newest = Path(stack.environ["SWITCHBOARD_CONFIG"])
    older = newest.with_name("older.toml")
    older.write_text(newest.read_text().replace('to = ["law", "dialler", "crm"]', 'to = ["law"]'))
    hour_ago = newest.stat().st_mtime - 3600
    os.utime(older, (hour_ago, hour_ago))
    stack.start()
    stack.wait_for(lambda: readyz(stack)["workers"] == 1, 20, "the newer worker")
    stack.environ["SWITCHBOARD_CONFIG"] = str(older)
    for number in range(2):
        stack.start_worker(f"older{number}")
    stack.wait_for(lambda: readyz(stack)["workers"] == 3, 20, "three workers")
    _push(stack, 0, CALLS)

    stack.wait_for(lambda: landed(stack, CALLS), 30, f"{CALLS} records at each vendor")
    assert all("planning.left" in stack.log(f"older{number}") for number in range(2))
    assert json.loads(stack.log("worker0").splitlines()[0])
