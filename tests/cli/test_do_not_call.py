"""``switchboard suppress import``: a do-not-call list in the place of the one before."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG
from worker.ledger.history import History
from worker.ledger.keys import LIST_KEY
from worker.ledger.records import Finish, Verdict

ASKING = CONFIG.replace('type = "motor-trade"', 'type = "motor-trade"\ndo_not_call = "31d"')


def a_list(folder: Path, text: str, name: str = "list.txt") -> str:
    """Write a list; return its path."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_list_replaces_the_one_before_and_stands_in_the_audit(cli, tmp_path):
    """Numbers are read as callers are, doubles once; the operators' own list stays; `list` and `remove` say which."""
    cli.run("suppress", "add", "0491570199")
    first = cli.json("suppress", "import", a_list(tmp_path, "0491 570 156\n+61 491 570 157\n61491570157\n\n"))
    assert (2, 0, 1, 0) == (first["numbers"], first["before"], first["doubled"], first["unread"])
    assert ["+61491570157"] == cli.json("suppress", "list", "0491570157")

    second = cli.run("suppress", "import", a_list(tmp_path, "0491570158\n"), "--as", "ann")
    assert "1 number loaded; the list before had 2\n" == second.stdout
    cli.run("suppress", "list", "0491570157", status=1)
    assert "do-not-call list that was loaded" in cli.run("suppress", "list", "0491570158").stderr
    assert "load one without it" in cli.run("suppress", "remove", "0491570158", status=1).stderr
    assert ["+61491570199"] == cli.json("suppress", "list")
    told = [(one["who"], one["what"], one["which"], one["count"]) for one in cli.json("audit", "list")]
    assert ("ann", "suppress.import", "list.txt", 1) == told[0]


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("Phone\n0491570156\n0491570157\n", (), (2, [])),
        ("\ufeffName;Phone\nAnn;0491570156\nBob;0491570157\n", ("--column", "phone"), (2, [])),
        ('"0491570156","Ann, of course"\n"0491570157","Bob"\n', (), (2, [])),
        ("0491570156\nnobody\n0491570157\n4.9157E+08\n0491570158", (), (3, [2, 4])),
        ("491570156\r\n61491570157\r\n+1 212 555 2368\r\n", (), (3, [])),
    ],
)
def test_lists_are_read_as_they_are_written(cli, text, options, found):
    """With or without a header, one column or several; what is no number is told by its line and shown nowhere."""
    done = cli.json("suppress", "import", a_list(cli.folder, text), *options)

    assert found == (done["numbers"], done["unread_lines"])


@pytest.mark.parametrize("text", ["", "Phone\n", "name,phone\nAnn,0491570156\nBob,0491570157\n"])
def test_what_is_no_list_replaces_none(cli, tmp_path, text):
    """Nobody is rung because a file was empty or its column another one."""
    cli.run("suppress", "import", a_list(tmp_path, "0491570199\n"))

    assert "no list of numbers" in cli.run("suppress", "import", a_list(tmp_path, text), status=1).stderr
    assert ["+61491570199"] == cli.json("suppress", "list", "0491570199")
    cli.run("suppress", "import", a_list(tmp_path, "a,b\n1,2\n"), "--column", "phone", status=2)


def test_held_leads_are_shown_and_released(cli, tmp_path, free_port):
    """`held`, reason `no_fresh_list`, in every listing; doctor and check say why; an import lets them go."""
    cli.configure(ASKING)

    async def put_off(book):
        await book.call("c1", result="Unanswered")
        claim = await book.ledger.claim("dialler", want=1, lease_ms=60_000)
        end = Finish(
            key=claim.items[0].key, fence=claim.items[0].fence, verdict=Verdict.UNCLAIM, reason="no_fresh_list",
            delay_ms=600_000, effect="skip", history=History(),
        )  # fmt: skip
        await book.ledger.finish([end])

    cli.fill(put_off)
    [lead] = cli.json("deliveries", "list")
    assert ("held", "no_fresh_list") == (lead["state"], lead["reason"])
    assert ["held"] == [one["state"] for one in cli.json("calls", "show", "c1")["deliveries"]]
    assert "dialler: it needs a do-not-call list" in cli.run("check").stderr
    problems = cli.json("doctor", status=1)["problems"]
    assert any("dialler holds its leads, for no do-not-call list is loaded" in one for one in problems)

    done = cli.json("suppress", "import", a_list(tmp_path, "0491570199\n"))
    assert 1 == done["released"]
    [lead] = cli.json("deliveries", "list")
    assert lead["due_at"] <= cli.json("calls", "show", "c1")["events"][0]["received_at"] or lead["state"] == "held"
    found = cli.json("doctor", status=1)
    assert 1 == found["do_not_call"]["numbers"]
    assert not [one for one in found["problems"] if "do-not-call" in one]

    day = 86_400_000
    for days, where in ((29, "warnings"), (32, "problems")):
        at = round(time.time() * 1000) - days * day
        cli.fill(lambda book, at=at: book.ledger.redis.hset(LIST_KEY, "at", at))
        assert any("do-not-call" in one for one in cli.json("doctor", status=1)[where])


def test_check_warns_of_a_list_that_may_be_older_than_the_rules_allow(cli):
    """31 days in the United States, 30 in Australia."""
    cli.configure(ASKING.replace('"31d"', '"60d"'))
    assert "do_not_call: 60 days are more" in cli.run("check").stderr
    cli.configure(ASKING)
    assert "are more than" not in cli.run("check").stderr


@pytest.mark.load
def test_a_million_numbers_take_a_minute_and_60_mb_at_most(cli, tmp_path):
    """The whole command, a process of its own; CPU seconds of it and of Redis, for a busy machine's clock says less."""
    file = tmp_path / "million.txt"
    with file.open("w", encoding="ascii") as out:
        out.writelines(f"04{number * 97 % 100_000_000:08}\n" for number in range(1_000_000))
    script = (
        "import sys; from pathlib import Path; from deploy.cli.main import main;"
        "main(sys.argv[1:], standalone_mode=False);"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    )
    cpu_s = _cpu_s(cli)
    done = subprocess.run(
        [sys.executable, "-c", script, "suppress", "import", str(file)], env={**os.environ, **cli.environ}, check=True,
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    took_s, most_mb = _cpu_s(cli) - cpu_s, int(done.stderr.split()[-1]) / 1024
    used_mb = cli.fill(lambda book: book.ledger.redis.info("memory"))["used_memory"] / 1_000_000
    print(f"a million numbers: {took_s:.1f} s of CPU, {most_mb:.1f} MB; Redis {used_mb:.1f} MB")

    assert done.stdout.startswith("1000000 numbers loaded")
    assert took_s < 60
    assert most_mb < 60
    assert used_mb < 20
    assert ["+61400000097"] == cli.json("suppress", "list", "0400000097")


def _cpu_s(cli) -> float:
    """Return the CPU seconds that commands and Redis have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    redis = cli.fill(lambda book: book.ledger.redis.info("cpu"))
    return used.ru_utime + used.ru_stime + float(redis["used_cpu_user"]) + float(redis["used_cpu_sys"])
