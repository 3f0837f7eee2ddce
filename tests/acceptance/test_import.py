"""``switchboard import`` as a process of its own: ten thousand calls, twice."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.stack import TOKEN, Stack

CALLS = 10_000
MOST_BYTES = 100 * 1024 * 1024
CONFIG = f"""
[receiver]
tokens = ["{TOKEN}"]

[destinations.law]
vendor = "captorra"
url = "{{url}}/captorra/api/captorracalltracking/create"
captorra_id = "111111"
timezone = "Australia/Sydney"
max_age = "off"

[[routes]]
to = ["law"]
"""
MEASURED = """
import resource, sys
from pathlib import Path
from deploy.cli.main import main
try:
    main(sys.argv[1:], prog_name="switchboard")
finally:
    sys.stdout.flush()
    # On Linux ru_maxrss begins with what the parent had; elsewhere there is no /proc, and it is in bytes.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peak = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    Path("peak").write_text(str(*peak or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
"""Runs a command and notes the most memory it ever had."""


def _import(stack: Stack, file: Path) -> tuple[dict[str, Any], int]:
    """Run the import; return what it counted and its peak memory in bytes."""
    command = [sys.executable, "-c", MEASURED, "import", str(file), "--json"]
    done = subprocess.run(command, cwd=stack.folder, env=stack.environ, capture_output=True, check=True, timeout=300)
    return json.loads(done.stdout), int((stack.folder / "peak").read_text())


@pytest.mark.load
def test_ten_thousand_calls_imported_twice_land_once_each(make_stack, tmp_path):
    """Each is delivered once, though a worker is at it meanwhile, and the command stays under 100 MB."""
    file = tmp_path / "calls.jsonl"
    with file.open("w") as lines:
        for number in range(CALLS):
            call = {
                "PLA_Call_Id": f"import-{number}", "PLA_CID": "123", "PLA_Dealer_Name": "Smith Law Sydney",
                "PLA_Caller_Phone_Number": f"+6149157{number:04d}", "PLA_CallStartTime": "00000001772452337003",
                "PLA_Landing_Page": "https://www.example.com/?gclid=C152ddsa12213123132&utm_source=google",
                "PLA_CallResult": "Answered", "PLA_Duration": f"{number % 300}s",
            }  # fmt: skip
            lines.write(json.dumps(call) + "\n")
    stack = make_stack(config=CONFIG)
    stack.start(receiver=False)

    first, peak = _import(stack, file)
    again, peak_again = _import(stack, file)
    stack.wait_for(lambda: stack.requests("captorra") >= CALLS, 300, "every call")

    print(f"peak memory {peak / 1024 / 1024:.0f} and {peak_again / 1024 / 1024:.0f} MB")
    records = stack.records("captorra")
    assert (CALLS, 0, 0) == (first["new"], first["known"], first["refused"])
    assert (0, CALLS, 0) == (again["new"], again["known"], again["refused"])
    assert {f"import-{number}" for number in range(CALLS)} == {record["id"] for record in records}
    assert {1} == {record["posts"] for record in records}
    assert CALLS == stack.requests("captorra")
    assert max(peak, peak_again) < MOST_BYTES
