#!/usr/bin/env bash
# redis==8.1.0 (redis-py), opentelemetry-sdk==1.45.2
# Guess: a client imports OpenTelemetry when its observability is switched on, as the instrumentations of others do; a
#        process that never asks for it carries none, whatever is installed beside it.
# Seen:  "import redis" imports the trace API and the SDK's metrics wherever they can be found, and nothing switches that
#        off: each process of an image in which one process traces holds them, and starts the later for them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0
look() {
    "$work/venv/bin/python" - "$1" <<'PY'
import sys

import redis

loaded = [name for name in ("opentelemetry.sdk.metrics", "opentelemetry.sdk.trace", "opentelemetry.trace") if name in sys.modules]
print(f"redis {redis.__version__}, {sys.argv[1]}: {', '.join(loaded) or 'nothing of OpenTelemetry'}")
PY
}
{
    look "no SDK installed"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-sdk==1.45.2
    look "the SDK installed, nothing configured"
} | tee "$work/seen"
diff - "$work/seen" <<'SEEN'
redis 8.1.0, no SDK installed: nothing of OpenTelemetry
redis 8.1.0, the SDK installed, nothing configured: opentelemetry.sdk.metrics, opentelemetry.trace
SEEN
