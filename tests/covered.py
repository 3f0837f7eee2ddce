"""What the last measured run covered of each file of the product; ends with 1 where a file is below the floor.

``make coverage`` runs the suite under coverage.py, with the processes that the tests start, and then this.
"""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOOR = 85.0  # per cent of a file's lines and branches together


def below(shares: dict[str, float], floor: float = FLOOR) -> list[str]:
    """Return a sentence for each file below the floor, the lowest first; ``shares`` are per cent by file."""
    low = sorted((share, name) for name, share in shares.items() if share < floor)
    return [f"{name} is covered to {share:.1f} %, below {floor:g} %" for share, name in low]


def shares_of(report: dict) -> dict[str, float]:
    """Return per cent by file from the report that ``coverage json`` writes."""
    return {name: file["summary"]["percent_covered"] for name, file in report["files"].items()}


def coverage(*words: str) -> str:
    """Run coverage.py and return what it printed."""
    command = [sys.executable, "-m", "coverage", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Print each file's coverage and the faults; return the exit status."""
    print(coverage("report"))
    faults = below(shares_of(json.loads(coverage("json", "-q", "-o", "-"))))
    print("\n".join(faults) or f"no file of the product is covered to less than {FLOOR:g} %")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
