#!/usr/bin/env bash
# json-repair==0.64.6 demjson3==3.0.6 dirtyjson==1.0.8; json5==0.17.3 pyjson5==2.0.1 hjson==3.1.0 beside them
# Guess: a reader for JSON that is not quite JSON keeps the digits of an unquoted number, as text or as a number of
#        those digits, or refuses it; two objects in one body are refused, or both are there.
# Seen:  only three of six refuse a number with a zero at its front. json-repair drops the zero of each
#        (0491570156 is 491570156). demjson3 and dirtyjson take one without 8 or 9 for octal: 0255501234 comes as
#        45515420: another caller's number, without a word. Of two objects json-repair keeps the last, dirtyjson the first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check json-repair==0.64.6 demjson3==3.0.6 dirtyjson==1.0.8 \
  json5==0.17.3 pyjson5==2.0.1 hjson==3.1.0
timeout 60 "$work/venv/bin/python" - <<'PY' | tee "$work/seen"
from importlib.metadata import version

import demjson3
import dirtyjson
import hjson
import json5
import json_repair
import pyjson5

readers = {
    "json-repair": json_repair.loads, "demjson3": demjson3.decode, "dirtyjson": dirtyjson.loads,
    "json5": json5.loads, "pyjson5": pyjson5.loads, "hjson": hjson.loads,
}
bodies = {
    "with a comma": '{"caller": "0491570156",}',
    "zero and nine": '{"caller": 0491570156}',
    "zero to seven": '{"caller": 0255501234}',
    "two objects": '{"caller": "first"}{"caller": "second"}',
}


def read(name, body):
    try:
        return str(readers[name](body)["caller"])
    except Exception as error:
        return "refused"


for name in readers:
    print(f"{name} {version(name)}: " + ", ".join(f"{what}: {read(name, body)}" for what, body in bodies.items()))
PY
diff - "$work/seen" <<'SEEN'
json-repair 0.64.6: with a comma: 0491570156, zero and nine: 491570156, zero to seven: 255501234, two objects: second
demjson3 3.0.6: with a comma: 0491570156, zero and nine: refused, zero to seven: 45515420, two objects: refused
dirtyjson 1.0.8: with a comma: 0491570156, zero and nine: refused, zero to seven: 45515420, two objects: first
json5 0.17.3: with a comma: 0491570156, zero and nine: refused, zero to seven: refused, two objects: refused
pyjson5 2.0.1: with a comma: 0491570156, zero and nine: refused, zero to seven: refused, two objects: refused
hjson 3.1.0: with a comma: 0491570156, zero and nine: refused, zero to seven: refused, two objects: refused
SEEN
