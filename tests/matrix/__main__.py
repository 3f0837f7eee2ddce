"""``make matrix``: runs the Redis tests and the short chaos form on every server, and compares what they need and do.

``make matrix ONLY=valkey-8.1 ARGS="--part tests"`` does a part of it; each takes some minutes. What was found is kept
in ``var/matrix.json``, and the table of all that was found so far is printed at the end.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.stack import ROOT
from tests.matrix.differences import differences
from tests.matrix.servers import COMPARED, SERVERS, here
from tests.matrix.speed import speed

KEPT = ROOT / "var" / "matrix.json"
PARTS = ("tests", "chaos", "chaos-alone", "speed", "differences")
COLUMNS = (
    "server", "package", "Redis tests", "restores into the five", "chaos, short", "bytes a call",
    "deliveries/s beside 7.0",
)  # fmt: skip
_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


def run_tests(binary: Path) -> dict[str, Any]:
    """Run the tests that need a server, and restores from it into each other; what failed runs once more, alone."""
    environ = {"REDIS_SERVER_BIN": str(binary)}
    marked = ["-q", "--dist", "loadgroup", "-m", "needs_redis and not load"]
    status, text = _run(["-m", "pytest", *marked, "-n", "2"], environ)
    found: dict[str, Any] = {"first": _counts(text), "holds": status == 0}
    if status:
        again = ["--last-failed", "--last-failed-no-failures=none", "-n", "0"]
        status, text = _run(["-m", "pytest", *marked, *again], environ)
        found |= {"again": _counts(text), "holds": status == 0}
    status, text = _run(["-m", "pytest", "-q", "-m", "load", "-n", "2", "tests/worker/ledger/test_moves.py"], environ)
    return found | {"moves": _counts(text), "holds": found["holds"] and status == 0}


def run_chaos(binary: Path, *, alone: bool) -> dict[str, Any]:
    """Play the short form of the chaos table: the rows of the usual system, or those that have one of their own."""
    which = "alone" if alone else "together"
    status, text = _run(["-m", "tests.chaos", "--short", "--rows", which], {"REDIS_SERVER_BIN": str(binary)})
    return {"rows": [line for line in text.splitlines() if line.startswith("|")][2:], "holds": status == 0}


def _run(arguments: list[str], environ: dict[str, str]) -> tuple[int, str]:
    """Run Python with these arguments; show what it says, and return its status and that."""
    said = []
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line)
    return process.returncode, "".join(said)


def _counts(text: str) -> dict[str, int]:
    lines = [line for line in text.splitlines() if " in " in line and _COUNT.search(line)]
    return {what: int(count) for count, what in _COUNT.findall(lines[-1])} if lines else {}


def table(found: dict[str, Any], binaries: dict[str, Path]) -> str:
    """Return the table of what was found."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|" + " --- |" * len(COLUMNS)]
    base = found.get(COMPARED, {}).get("speed", {}).get("per_s")
    for server in SERVERS:
        one = found.get(server.name, {})
        tests, rates = one.get("tests", {}), one.get("speed", {})
        passed = ", ".join(f"{count} {what}" for what, count in tests.get("first", {}).items())
        again = ", ".join(f"{count} {what}" for what, count in tests.get("again", {}).items())
        rows = [row for part in ("chaos", "chaos-alone") if part in one for row in one[part]["rows"]]
        holding = all(one[part]["holds"] for part in ("chaos", "chaos-alone") if part in one)
        version = server.version(binaries[server.name]) if server.name in binaries else server.name
        cells = [
            version, server.package, passed + (f"; those alone: {again}" if again else ""),
            ", ".join(f"{count} {what}" for what, count in tests.get("moves", {}).items()),
            f"{len(rows)} rows, {'all hold' if holding else 'one does not hold'}" if rows else "",
            f"{rates['bytes']:,.0f}" if rates else "",
            f"{rates['per_s']:,.0f} ({rates['per_s'] / base:.2f})" if rates and base else "",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    named = [(server.name, found[server.name]["differences"]) for server in SERVERS if "differences" in
             found.get(server.name, {})]  # fmt: skip
    if named:
        lines += ["", f"| | {' | '.join(name for name, _ in named)} |", f"| --- |{' --- |' * len(named)}"]
        lines += [f"| {probe} | {' | '.join(said[probe] for _, said in named)} |" for probe in named[0][1]]
    return "\n".join(lines)


def main() -> int:
    """Run the parts asked for on the servers asked for; status 1 where one does not hold, or a server is not here."""
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument(
        "--only", default="", help=f"servers whose name holds this: {', '.join(s.name for s in SERVERS)}"
    )
    parser.add_argument("--part", choices=(*PARTS, "table"), help="only this; else all, one after the other")
    options = parser.parse_args()
    binaries = here()
    wanted = {name: binary for name, binary in binaries.items() if options.only in name}
    missing = [one for one in SERVERS if options.only in one.name and one.name not in binaries]
    for one in missing:
        print(f"{one.name} is not here: {one.package} brings it", file=sys.stderr)
    parts = [options.part] if options.part else PARTS
    holding = not missing
    if "speed" in parts:  # by turns, in one run
        compared = {name: one for name, one in binaries.items() if name in wanted or name == COMPARED}
        for name, rates in speed(compared).items():
            _keep(name, "speed", rates)
    for name, binary in wanted.items():
        for part in parts:
            if part == "tests":
                made: dict[str, Any] = run_tests(binary)
            elif part in {"chaos", "chaos-alone"}:
                made = run_chaos(binary, alone=part == "chaos-alone")
            elif part == "differences":
                made = dict(differences(binary))
            else:
                continue
            _keep(name, part, made)
            holding = holding and bool(made.get("holds", True))
    print(f"\n{table(_kept(), binaries)}")
    return int(not holding)


def _kept() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return found


def _keep(server: str, part: str, made: dict[str, Any]) -> None:
    """Add what was found to what is kept now: another run may have added its own meanwhile."""
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    found = _kept()
    found.setdefault(server, {})[part] = made
    KEPT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
