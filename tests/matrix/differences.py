"""In what the servers differ, as far as it concerns the ledger: each line is found by running it."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from redis import Redis
from redis.client import NEVER_DECODE
from redis.exceptions import RedisError, ResponseError

from deploy.local.redis_server import RedisServer

SCRIPTS = 600
Probe = Callable[[Redis], str]


def script_cache(client: Redis) -> str:
    """Run hundreds of scripts by their text, and see whether the first is still known by its digest."""
    client.script_flush()
    loaded = str(client.script_load("return 'loaded'"))
    for number in range(SCRIPTS):
        client.eval(f"return {number}", 0)
    first = hashlib.sha1(b"return 0", usedforsecurity=False).hexdigest()
    evaled, kept = ("kept" if one else "gone" for one in client.script_exists(first, loaded))
    return f"after {SCRIPTS} EVALs the first is {evaled}, a loaded one {kept}"


def float_text(client: Redis) -> str:
    """Read back a score of 0.1."""
    client.zadd("probe", {"a": 0.1})
    return str(client.eval("return redis.call('ZSCORE', 'probe', 'a')", 0))


def small_hash(client: Redis) -> str:
    """Say how a hash of 600 fields is kept, and one whose fields have lives of their own."""
    client.hset("probe-h", mapping={str(number): "x" for number in range(600)})
    client.hset("probe-s", mapping={str(number): "x" for number in range(100)})
    said = f"100 fields {client.object('encoding', 'probe-s')}, 600 fields {client.object('encoding', 'probe-h')}"
    try:
        client.execute_command("HPEXPIRE", "probe-s", 100_000, "FIELDS", 1, "1")
    except ResponseError:
        return f"{said}; no HPEXPIRE"
    return f"{said}; with HPEXPIRE {client.object('encoding', 'probe-s')}"


def rdb_version(client: Redis) -> str:
    """Read the number that a DUMP ends with."""
    client.set("probe-d", "x")
    text: Any = client.execute_command("DUMP", "probe-d", **{NEVER_DECODE: True})
    return str(int.from_bytes(text[-10:-8], "little"))


def lazy_delete(client: Redis) -> str:
    """Say whether DEL frees a large key in the background."""
    return str(client.config_get("lazyfree-lazy-user-del")["lazyfree-lazy-user-del"])


def readonly_script(client: Redis) -> str:
    """Say what a script that writes is answered by a replica."""
    client.replicaof("127.0.0.1", 1)
    try:
        client.eval("return redis.call('SET', 'probe', '1')", 0)
    except RedisError as error:
        return type(error).__name__
    finally:
        client.replicaof("NO", "ONE")
    return "nothing"


PROBES: Mapping[str, Probe] = {
    "script cache": script_cache,
    "0.1 out of Lua": float_text,
    "hashes": small_hash,
    "RDB version": rdb_version,
    "lazyfree-lazy-user-del": lazy_delete,
    "READONLY of a script": readonly_script,
}


def differences(binary: Path) -> dict[str, str]:
    """Start a server, and return what each probe found."""
    with tempfile.TemporaryDirectory(prefix="switchboard-matrix-") as folder:
        server = RedisServer(Path(folder), binary=binary, appendonly=False)
        with server, Redis.from_url(server.url, decode_responses=True) as client:
            return {name: probe(client) for name, probe in PROBES.items()}
