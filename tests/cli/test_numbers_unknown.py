"""``switchboard numbers`` says what to do when Callcap refused, was not reached, or left it open what it did."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.cli.callcap_standin import EXACT, callcap_at
from tests.cli.conftest import CONFIG


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("store_then_drop", "Callcap no longer offers 3165550142, so most likely it was provisioned. Do not"),
        ("drop", "Callcap still offers 3165550142, so most likely nothing was done."),
    ],
)
def test_an_unknown_outcome_says_what_to_do(cli, standin, mode, words):
    """The number is looked up; the request is not sent again, and is listed as open."""
    standin.lay(mode=mode, times=1)
    failed = cli.run("numbers", "provision", *EXACT, "--key", "k", status=1)
    again = cli.json("numbers", "provision", *EXACT, "--key", "k", status=1)
    listed = cli.json("numbers", "list")

    assert words in failed.stderr
    assert ("unknown", "reset") == (again["state"], again["reason"])
    assert words in again["advice"]
    assert ([], ["k"]) == (listed["numbers"], [one["key"] for one in listed["open"]])
    assert words in cli.run("numbers", "list").stderr
    assert words in cli.run("numbers", "list", "--key", "k").stderr
    assert 1 == standin.posts()


def test_an_unknown_number_that_was_found_to_be_ours_is_listed_after_an_update(cli, standin):
    """Callcap takes updates of our own numbers only."""
    standin.lay(mode="store_then_drop", times=1)
    cli.run("numbers", "provision", *EXACT, status=1)
    cli.run("numbers", "update", "3165550142", "--memo1", "123")

    assert ["123"] == [number["delacon_service"] for number in cli.json("numbers", "list")["numbers"]]


def test_an_unknown_choice_of_callcaps_and_an_unknown_update_say_what_to_do(cli, standin):
    """Neither can be looked up by a search."""
    standin.lay(mode="store_then_drop", times=2)
    chosen = cli.run("numbers", "provision", "--account", "L-3", "--area-code", "415", status=1)
    changed = cli.run("numbers", "update", "4155550100", "--memo1", "1", status=1)

    assert "Callcap was to choose the number" in chosen.stderr
    assert "sending the same update once more, with a new key, does no harm" in changed.stderr


def test_a_refusal_is_told_in_callcaps_words(cli, standin):
    """Status 1; it is settled and no longer open."""
    failed = cli.run("numbers", "provision", "--account", "L-99", "--phone-number", "3165550142", status=1)

    assert "Callcap refused: rejected: A valid Callcap location account is required" in failed.stderr
    assert [] == cli.json("numbers", "list")["open"]


def test_what_did_not_reach_callcap_may_be_tried_again_with_its_key(cli, standin, free_port):
    """A refused connection: nothing was sent."""
    cli.configure(CONFIG + callcap_at(f"http://127.0.0.1:{free_port}"))
    failed = cli.run("numbers", "provision", *EXACT, "--key", "k", status=1)
    cli.configure(CONFIG + callcap_at(standin.url, encoding="json"))
    done = cli.json("numbers", "provision", *EXACT, "--key", "k")

    assert "Callcap was not asked yet (connect: no connection)." in failed.stderr
    assert "done" == done["state"]
    assert 1 == standin.posts()


def test_ctrl_c_in_the_middle_says_how_to_learn_what_became_of_it(cli, standin):
    """The request was posted and its reply not waited for: unknown at once, looked up by the same command."""
    standin.lay(mode="store_then_hang", times=1)
    command = [sys.executable, "-m", "deploy.cli.main", "numbers", "provision", *EXACT, "--key", "k"]
    environ = {**os.environ, **cli.environ}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 20
        while not standin.kept() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        words = process.communicate(timeout=20)[1]

    assert 1 == process.returncode
    assert "Interrupted. The same command with --key k tells what became of it." in words
    assert "Traceback" not in words
    failed = cli.run("numbers", "provision", *EXACT, "--key", "k", status=1)
    assert "Callcap no longer offers 3165550142" in failed.stderr
    assert "interrupted" == cli.json("numbers", "list", "--key", "k")["reason"]
    assert 1 == standin.posts()


def test_an_answer_that_redis_did_not_take_is_still_told(cli, standin, make_redis_server):
    """Status 0, for the number is ours: a script that saw a failure here might buy a second one."""
    server = make_redis_server()
    standin.lay(latency_ms=700)

    def kill_when_asked() -> None:
        deadline = time.monotonic() + 20
        while not standin.asked() and time.monotonic() < deadline:
            time.sleep(0.02)
        server.kill()

    killer = threading.Thread(target=kill_when_asked)
    killer.start()
    done = cli.run("numbers", "provision", *EXACT, "--key", "k", "--json", REDIS_URL=server.url)
    killer.join()

    assert ("done", "3165550142") == tuple(json.loads(done.stdout)[name] for name in ("state", "number"))
    assert "The ledger did not take this outcome and will call request k unknown; keep this output." in done.stderr
