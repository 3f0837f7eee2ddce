"""Systems whose Redis has replicas, or whose processes are of two versions."""

import os
import subprocess
import time
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import ClassVar
from zipfile import ZipFile

from redis import Redis

from deploy.local.redis_server import RedisServer, find_binary
from tests.acceptance.stack import ROOT
from tests.chaos.proxy import Proxy
from tests.chaos.system import System
from tests.sentinel_set import SentinelSet

LAG_S = 3.0
FOLLOWS_S = 60.0


class SentinelSystem(System):
    """Three Sentinels, a primary and two replicas."""

    environ: ClassVar[Mapping[str, str]] = {"REDIS_MIN_REPLICAS": "1"}

    def open_redis(self, folder: Path) -> str:
        """Start servers and Sentinels."""
        self.sentinels = SentinelSet(folder / "sentinels", binary=find_binary(os.environ)).__enter__()
        return self.sentinels.url

    def primary(self) -> RedisServer:
        """Return the server that the Sentinels name."""
        return self.sentinels.primary()

    def close_redis(self) -> None:
        """Stop them."""
        self.sentinels.__exit__()


class UnaskedSystem(SentinelSystem):
    """The same, and no replica is asked before an acknowledgement."""

    environ: ClassVar[Mapping[str, str]] = {}


class LaggingSystem(System):
    """A primary with a replica that is 3 s behind; who asks for it by name is led to the promoted one."""

    environ: ClassVar[Mapping[str, str]] = {"REDIS_MIN_REPLICAS": "1"}

    def open_redis(self, folder: Path) -> str:
        """Start both, and what lies between them."""
        url = super().open_redis(folder)
        self._promoted = False
        self.replica = RedisServer(folder / "replica", binary=find_binary(os.environ))
        self.replica.start()
        assert self.redis.port
        self._between = Proxy(self.redis.port, delay_s=LAG_S)
        self._between.start()
        with Redis.from_url(self.redis.url) as client:
            client.config_set("repl-diskless-sync-delay", 0)
        with Redis.from_url(self.replica.url) as client:
            client.replicaof("127.0.0.1", self._between.port)
            # Each step of the handshake takes LAG_S, and Redis 8.2 needs more of them than others.
            deadline = time.monotonic() + FOLLOWS_S
            while client.info("replication")["master_link_status"] != "up":
                assert time.monotonic() < deadline, "the replica does not follow"
                time.sleep(0.2)
        return url

    def lose_primary(self) -> None:
        """Kill the primary, promote the replica with what it has, and let the name lead to it."""
        with Redis.from_url(self.replica.url, decode_responses=True) as client:
            assert client.info("replication")["master_link_status"] == "up"
            self.redis.kill()
            client.replicaof("NO", "ONE")
        assert self.replica.port
        self.proxy.lead_to(self.replica.port, cut=True)
        self.redis.start()
        with Redis.from_url(self.redis.url) as client:
            client.replicaof("127.0.0.1", self.replica.port)
        self._promoted = True

    def primary(self) -> RedisServer:
        """Return the replica once it was promoted."""
        return self.replica if self._promoted else self.redis

    def close_redis(self) -> None:
        """Stop all of it."""
        super().close_redis()
        self._between.stop()
        self.replica.stop()


class MovingSystem(System):
    """Two servers that know nothing of each other: the ledger moves from the first to the second, of another make."""

    def open_redis(self, folder: Path) -> str:
        """Start both."""
        url = super().open_redis(folder)
        self.other = RedisServer(folder / "other", binary=find_binary({"PATH": ""}))
        self.other.start()
        self._moved = False
        return url

    def move(self) -> None:
        """Let the name lead to the second server, as when it resolves anew."""
        assert self.other.port
        self.proxy.lead_to(self.other.port, cut=True)
        self._moved = True

    def primary(self) -> RedisServer:
        """Return the second server once the name leads there."""
        return self.other if self._moved else self.redis

    def close_redis(self) -> None:
        """Stop both."""
        super().close_redis()
        self.other.stop()


class MixedSystem(System):
    """The usual one, whose processes run the code of two versions."""


def earlier_code(folder: Path, commit: str) -> Path:
    """Return a folder with the code of an earlier commit, out of this repository's history."""
    command = ["git", "-c", f"safe.directory={ROOT}", "archive", "--format=zip", commit]
    packed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    with ZipFile(BytesIO(packed)) as archive:
        archive.extractall(folder)
    return folder
