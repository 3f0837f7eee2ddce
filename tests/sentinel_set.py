"""A primary with two replicas, watched by three Sentinels: killed, switched and parted as in the field."""

import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from deploy.local.redis_server import RedisServer, free_port
from tests.chaos.proxy import Proxy

AGREED_S = 40.0
_LOGINS = {
    "sentinel": ("on", ">sentinel-pw", "allkeys", "allchannels", "allcommands"),
    "replica": ("on", ">replica-pw", "+psync", "+replconf", "+ping"),
    "switchboard": ("on", ">switchboard-pw", "allkeys", "allchannels", "allcommands"),
    "default": ("+ping",),
}


class SentinelSet:
    """Three servers and three Sentinels on loopback; ``url`` leads to the Sentinels by a proxy each.

    Sentinels and replicas have logins of their own, so that the primary can be parted from them and not from its
    clients.
    """

    def __init__(self, folder: Path, *, binary: Path, down_after_ms: int = 1000) -> None:
        self.servers = [RedisServer(folder / f"redis-{place}", binary=binary) for place in range(3)]
        self._folder, self._binary, self._down_after_ms = folder, binary, down_after_ms
        self._sentinels: list[tuple[int, subprocess.Popen[bytes]]] = []
        self._proxies: list[Proxy] = []

    @property
    def url(self) -> str:
        """Return the address that names the Sentinels."""
        places = ",".join(f"127.0.0.1:{proxy.port}" for proxy in self._proxies)
        return f"sentinel://switchboard:switchboard-pw@{places}/mymaster/0"

    def __enter__(self) -> Self:
        for server in self.servers:
            self.start(server)
        for server in self.servers[1:]:
            with self._client(server) as client:
                client.replicaof("127.0.0.1", self.servers[0].port or 0)
        for place in range(3):
            self._start_sentinel(place)
        self.wait_until_whole()
        return self

    def __exit__(self, *details: object) -> None:
        for proxy in self._proxies:
            proxy.stop()
        for _, process in self._sentinels:
            process.terminate()
            process.wait(10)
        for server in self.servers:
            server.stop()

    def start(self, server: RedisServer) -> None:
        """Start a server, also one that was killed; the Sentinels make a replica of it then."""
        server.start()
        self._log_in(server)

    def primary(self) -> RedisServer:
        """Return the server that the Sentinels name; they must agree."""
        named = set()
        for port, _ in self._sentinels:
            with Redis(port=port, decode_responses=True) as client:
                found: Any = client.sentinel_get_master_addr_by_name("mymaster")
                named.add(int(found[1]))
        [port] = named
        return next(server for server in self.servers if server.port == port)

    def kill_primary(self) -> RedisServer:
        """Kill the primary as ``kill -9`` does, and return it once another is named; it stays away."""
        old = self.primary()
        old.kill()
        self._wait(lambda: self.primary() is not old)
        return old

    def switch(self) -> RedisServer:
        """Ask for a planned failover, and return the old primary once another is named."""
        old = self.primary()
        with Redis(port=self._sentinels[0][0]) as client:
            self._wait(lambda: bool(client.sentinel_failover("mymaster")))
        self._wait(lambda: self.primary() is not old)
        return old

    def part(self, *, seconds: float) -> tuple[RedisServer, RedisServer]:
        """Part the primary and its clients from all others, so that there are two for a while; return both."""
        old = self.primary()
        for proxy in self._proxies:
            proxy.swallow()
        with self._client(old) as client:
            client.execute_command("ACL", "SETUSER", "default", "-ping")  # a Sentinel without its login asks as this
            for name in ("sentinel", "replica"):
                client.execute_command("ACL", "SETUSER", name, "off")
                client.execute_command("CLIENT", "KILL", "USER", name)
            self._wait(lambda: self.primary() is not old)
            until = time.monotonic() + seconds
            self._wait(lambda: time.monotonic() > until)
        self._wait(lambda: self._log_in(old))  # again where a Sentinel cuts the connection, to make a replica of it
        for proxy in self._proxies:
            proxy.restore()
        return old, self.primary()

    def wait_until_whole(self) -> None:
        """Wait until the primary has two replicas that follow, and every Sentinel knows them and the others."""
        self._wait(self._is_whole)

    def clients(self, server: RedisServer, *, idle_s: int) -> int:
        """Count the connections of Switchboard that a server has, and that were used within ``idle_s``."""
        with self._client(server) as client:
            ours = [one for one in client.client_list() if one["name"] == "switchboard"]
        return sum(int(one["idle"]) < idle_s for one in ours)

    def _is_whole(self) -> bool:
        with self._client(self.primary()) as client:
            seen = client.info("replication")
        if sum(seen.get(f"slave{place}", {}).get("state") == "online" for place in range(3)) != 2:
            return False
        for port, _ in self._sentinels:
            with Redis(port=port, decode_responses=True) as client:
                about = client.sentinel_masters()["mymaster"]
                replicas = client.sentinel_slaves("mymaster")
            if about["num-other-sentinels"] != 2 or about["flags"] != "master":
                return False
            if [one["flags"] for one in replicas] != ["slave", "slave"]:
                return False
        return True

    def _start_sentinel(self, place: int) -> None:
        port, folder = free_port(), self._folder / f"sentinel-{place}"
        folder.mkdir(parents=True)
        (folder / "sentinel.conf").write_text(
            f"port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {self.servers[0].port} 2\n"
            "sentinel auth-user mymaster sentinel\nsentinel auth-pass mymaster sentinel-pw\n"
            f"sentinel down-after-milliseconds mymaster {self._down_after_ms}\n"
            "sentinel failover-timeout mymaster 6000\nsentinel parallel-syncs mymaster 2\n"
        )
        with (folder / "sentinel.log").open("wb") as log:
            process = subprocess.Popen(
                [self._binary, folder / "sentinel.conf", "--sentinel"],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._sentinels.append((port, process))
        proxy = Proxy(port)
        proxy.start()
        self._proxies.append(proxy)

    def _log_in(self, server: RedisServer) -> bool:
        """Make the logins of Sentinels and replicas at a server, and its own at its primary; return ``True``."""
        with self._client(server) as client:
            for name, rules in _LOGINS.items():
                client.execute_command("ACL", "SETUSER", name, *rules)
            client.config_set("masteruser", "replica")
            client.config_set("masterauth", "replica-pw")
            client.config_set("repl-diskless-sync-delay", 0)
        return True

    @staticmethod
    def _client(server: RedisServer) -> Redis:
        return Redis.from_url(server.url, decode_responses=True)

    @staticmethod
    def _wait(fact: Callable[[], bool]) -> None:
        deadline = time.monotonic() + AGREED_S
        while True:
            with suppress(RedisError, ValueError, KeyError):  # not up yet, or not of one mind
                if fact():
                    return
            assert time.monotonic() < deadline, f"not within {AGREED_S} s"
            time.sleep(0.05)
