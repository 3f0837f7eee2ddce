#!/usr/bin/env bash
# vcon==0.3.10 (with python-dateutil)
# Guess: Dialog(start=...) takes ISO 8601, as its message "Must be ISO 8601 datetime string" says, and refuses others.
# Seen:  whatever dateutil can read is taken, each value by itself: 05/02/2019 becomes 2 May, 13/02/2019 becomes
#        13 February. A column of Australian dates is read month first up to the 12th and day first after it, and a time
#        without a zone stays without one. Epoch milliseconds raise OverflowError, not a validation error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check vcon==0.3.10
"$work/venv/bin/python" -W ignore - <<'PY'
from importlib.metadata import version
from vcon.dialog import Dialog

print("vcon", version("vcon"), "dateutil", version("python-dateutil"))
expected = {
    "05/02/2019 10:12 AM": "2019-05-02T10:12:00",
    "13/02/2019 10:12 AM": "2019-02-13T10:12:00",
    "25/11/2026 12:12:34": "2026-11-25T12:12:34",
    "2026-11-25T14:03:00": "2026-11-25T14:03:00",
}
for written, read in expected.items():
    seen = Dialog(type="recording", start=written, parties=[0]).start
    print(f"{written:22} -> {seen}")
    assert seen == read
try:
    Dialog(type="recording", start="1549339920000", parties=[0])
except OverflowError as error:
    print("epoch milliseconds: OverflowError:", error)
else:
    raise SystemExit("epoch milliseconds are read now")
PY
