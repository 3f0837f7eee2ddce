"""A primary with a replica behind one name, and the planned ways to make them change places."""

import time
from collections.abc import Callable
from contextlib import suppress

from redis import Redis
from redis.exceptions import ResponseError

from deploy.local.redis_server import RedisServer
from tests.chaos.proxy import Proxy

IN_STEP_S = 20.0


class RedisPair:
    """Two servers, the second a replica of the first, and a proxy in the place of a name that may resolve anew."""

    def __init__(self, primary: RedisServer, replica: RedisServer, *, proxy: Proxy | None = None) -> None:
        self.primary = primary
        self.replica = replica
        assert primary.port
        assert replica.port
        self._proxy = proxy or Proxy(primary.port)
        if proxy is None:
            self._proxy.start()
        for server in (primary, replica):
            with self._client(server) as client:
                client.config_set("repl-diskless-sync-delay", 0)  # 5 s where more replicas may come
                with suppress(ResponseError):  # Redis 6.2 does not wait for its replicas
                    client.config_set("shutdown-timeout", 0)
        with self._client(replica) as client:
            client.replicaof("127.0.0.1", primary.port)
        self._wait(lambda: self._linked(replica, primary))

    @property
    def url(self) -> str:
        """Return the address that leads to the primary."""
        return f"redis://127.0.0.1:{self._proxy.port}/0"

    def fail_over(self, *, cut: bool = False, by_hand: bool = False) -> None:
        """Make the replica the primary and let the name lead there; connections stay open, unless they are cut.

        By ``FAILOVER``, or by hand: writes are paused until the replica is in step, then each is told its part.
        """
        old, new = self.primary, self.replica
        with self._client(old) as before, self._client(new) as after:
            if by_hand:
                before.client_pause(int(IN_STEP_S * 1000), all=False)
                self._wait(lambda: self._offset(old) == self._offset(new))
                after.replicaof("NO", "ONE")
                before.replicaof("127.0.0.1", new.port)
                before.client_unpause()
            else:
                before.execute_command("FAILOVER", "TO", "127.0.0.1", str(new.port), "TIMEOUT", "10000")
                self._wait(lambda: self._role(new) == "master")
        self._wait(lambda: self._role(old) == "slave")
        self.primary, self.replica = new, old
        assert new.port
        self._proxy.lead_to(new.port, cut=cut)

    def lead_to(self, server: RedisServer, *, cut: bool) -> None:
        """Let the name lead to a server."""
        assert server.port
        self._proxy.lead_to(server.port, cut=cut)

    def wait_until_linked(self) -> None:
        """Wait until the replica follows its primary."""
        self._wait(lambda: self._linked(self.replica, self.primary))

    def clients(self, server: RedisServer, *, idle_s: int = 1_000_000) -> int:
        """Count the connections of Switchboard that a server has, and that were used within ``idle_s``."""
        with self._client(server) as client:
            ours = [one for one in client.client_list() if one["name"] == "switchboard"]
        return sum(int(one["idle"]) < idle_s for one in ours)

    def stop(self) -> None:
        """Stop the proxy; the servers are their maker's."""
        self._proxy.stop()

    def _linked(self, replica: RedisServer, primary: RedisServer) -> bool:
        with self._client(replica) as theirs, self._client(primary) as ours:
            about, seen = theirs.info("replication"), ours.info("replication")
        up = about.get("master_link_status") == "up" and about.get("master_port") == primary.port
        return up and any(seen.get(f"slave{place}", {}).get("state") == "online" for place in range(2))

    def _role(self, server: RedisServer) -> str:
        with self._client(server) as client:
            return str(client.info("replication")["role"])

    def _offset(self, server: RedisServer) -> int:
        with self._client(server) as client:
            about = client.info("replication")
        return int(about["master_repl_offset" if about["role"] == "master" else "slave_repl_offset"])

    @staticmethod
    def _client(server: RedisServer) -> Redis:
        return Redis.from_url(server.url, decode_responses=True)

    @staticmethod
    def _wait(fact: Callable[[], bool]) -> None:
        deadline = time.monotonic() + IN_STEP_S
        while not fact():
            assert time.monotonic() < deadline, f"not within {IN_STEP_S} s"
            time.sleep(0.02)
