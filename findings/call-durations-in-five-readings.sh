#!/usr/bin/env bash
# pytimeparse==1.1.10 timelength==3.0.4 pandas==3.1.1; npm moment@2.31.0 luxon@3.7.2 parse-duration@2.1.9
# Guess: a call's duration as reports write it ("1:30", "90", "50s") is read the same by every library, or refused.
# Seen:  "1:30" is 90 seconds to pytimeparse and timelength, 5,400 to moment, 0.00103 to parse-duration (which adds up 1
#        and 30 as milliseconds and microseconds), and refused by pandas; luxon's fromISOTime refuses it too, and takes
#        "01:30" as 5,400. "90" is 90 s to timelength, nothing to pytimeparse, 0.09 s to moment and parse-duration, 90
#        nanoseconds to pandas and 90 hours to luxon. "50s", as Delacon writes it, is 0 to moment, without an error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pytimeparse==1.1.10 timelength==3.0.4 pandas==3.1.1
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$work" \
    moment@2.31.0 luxon@3.7.2 parse-duration@2.1.9 >/dev/null
cd "$work"
venv/bin/python - <<'PY'
from importlib.metadata import version

import pandas
import pytimeparse
from timelength import TimeLength

print(*(f"{name} {version(name)}" for name in ("pytimeparse", "timelength", "pandas")))


def by_pandas(text):
    try:
        return pandas.Timedelta(text).total_seconds()
    except ValueError:
        return "refused"


seen = {
    text: (pytimeparse.parse(text), TimeLength(text).result.seconds, by_pandas(text)) for text in ("1:30", "90", "50s")
}
for text, seconds in seen.items():
    print(f"{text!r}: pytimeparse {seconds[0]}, timelength {seconds[1]}, pandas {seconds[2]}")
assert seen == {"1:30": (90, 90.0, "refused"), "90": (None, 90.0, 9e-08), "50s": (50, 50.0, 50.0)}, seen
PY
node - <<'JS'
const assert = require("node:assert");
const moment = require("moment");
const { Duration } = require("luxon");
const duration = require("parse-duration");
const parse = duration.default || duration;
const seen = {};
for (const text of ["1:30", "01:30", "90", "50s"]) {
  seen[text] = [moment.duration(text).asSeconds(), Duration.fromISOTime(text).as("seconds"), parse(text) / 1000];
  console.log(`${text}: moment ${seen[text][0]}, luxon ${seen[text][1]}, parse-duration ${seen[text][2]}`);
}
assert.deepStrictEqual(seen, {
  "1:30": [5400, NaN, 0.00103], "01:30": [5400, 5400, 0.00103], "90": [0.09, 324000, 0.09], "50s": [0, NaN, 50],
});
JS
