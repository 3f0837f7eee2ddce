"""Redis and its Sentinels speak TLS alone, and ask for certificates: everything runs on ``sentinels://``."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from deploy.local.redis_server import RedisServer, RedisServerError, free_port
from tests.acceptance.looks import Flower, command
from tests.acceptance.stack import end_of, start_of
from tests.acceptance.test_sentinel import wait_for
from tests.certificate import make_certificate

AGREED_S = 30.0


class TlsSentinels:
    """A primary, a replica and three Sentinels; each shows a certificate and asks for one.

    The servers listen without TLS too, for the test alone: no address of the product leads there.
    """

    def __init__(self, folder: Path, binary: Path, certificate: tuple[Path, Path]) -> None:
        self._cert, self._key = map(str, certificate)
        self.tls_ports = [free_port(), free_port()]
        self.servers = [
            RedisServer(folder / f"redis-{place}", binary=binary, extra=self._tls(port, replication=True))
            for place, port in enumerate(self.tls_ports)
        ]
        self._folder, self._binary = folder, binary
        self._sentinels: list[subprocess.Popen[bytes]] = []
        self.ports = [free_port() for _ in range(3)]

    @property
    def url(self) -> str:
        """Return the address of the Sentinels, with the certificate to trust and the one to show."""
        places = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        shown = f"ssl_certfile={self._cert}&ssl_keyfile={self._key}"
        return f"sentinels://{places}/mymaster/2?ssl_ca_certs={self._cert}&{shown}"

    def start(self) -> None:
        """Start all of it; raises ``RedisServerError`` where this server has no TLS."""
        for server in self.servers:
            server.start()
        with self.control(0) as primary, self.control(1) as replica:
            primary.config_set("repl-diskless-sync-delay", 0)
            replica.replicaof("127.0.0.1", self.tls_ports[0])
            wait_for(lambda: primary.info("replication")["connected_slaves"] == 1, AGREED_S, "the replica")
        for place, port in enumerate(self.ports):
            self._start_sentinel(place, port)
        wait_for(self._is_whole, AGREED_S, "the Sentinels")

    def stop(self) -> None:
        """End all of it."""
        for process in self._sentinels:
            process.terminate()
            process.wait(10)
        for server in self.servers:
            server.stop()

    def control(self, place: int) -> Redis:
        """Return a client of a server, past TLS."""
        return Redis.from_url(self.servers[place].url, decode_responses=True)

    def sentinel(self, place: int) -> Redis:
        """Return a client of a Sentinel."""
        return Redis(
            port=self.ports[place], ssl=True, ssl_ca_certs=self._cert, ssl_certfile=self._cert, ssl_keyfile=self._key,
            decode_responses=True,
        )  # fmt: skip

    def primary(self) -> int:
        """Return the TLS port of the server that all name; 0 while they differ."""
        named = set()
        for place in range(len(self.ports)):
            with self.sentinel(place) as client:
                found: Any = client.sentinel_get_master_addr_by_name("mymaster")
                named.add(int(found[1]))
        return named.pop() if len(named) == 1 else 0

    def ours(self, place: int) -> set[str]:
        """Return by which of its addresses a server is reached by the product."""
        with self.control(place) as client:
            return {str(one["laddr"]) for one in client.client_list() if one["name"] == "switchboard"}

    def _is_whole(self) -> bool:
        for place in range(len(self.ports)):
            with self.sentinel(place) as client:
                about = client.sentinel_masters()["mymaster"]
                if about["num-other-sentinels"] != 2 or len(client.sentinel_slaves("mymaster")) != 1:
                    return False
        return True

    def _tls(self, port: int, *, replication: bool) -> list[str]:
        return [
            "tls-port", str(port), "tls-cert-file", self._cert, "tls-key-file", self._key, "tls-ca-cert-file",
            self._cert, "tls-auth-clients", "yes", "tls-replication", "yes" if replication else "no",
        ]  # fmt: skip

    def _start_sentinel(self, place: int, port: int) -> None:
        folder = self._folder / f"sentinel-{place}"
        folder.mkdir(parents=True)
        tls = self._tls(port, replication=True)
        lines = [
            "port 0", *(" ".join(pair) for pair in zip(tls[::2], tls[1::2], strict=True)),
            f"sentinel monitor mymaster 127.0.0.1 {self.tls_ports[0]} 2",
            "sentinel down-after-milliseconds mymaster 2000", "sentinel failover-timeout mymaster 6000",
        ]  # fmt: skip
        (folder / "sentinel.conf").write_text("\n".join(lines) + "\n")
        with (folder / "sentinel.log").open("wb") as log:
            self._sentinels.append(
                subprocess.Popen(
                    [self._binary, folder / "sentinel.conf", "--sentinel"], cwd=folder, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log,
                )
            )  # fmt: skip


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate that is its own authority, and its key."""
    return make_certificate(tmp_path)


@pytest.fixture
def sentinels(tmp_path: Path, redis_binary: Path, certificate: tuple[Path, Path]) -> Iterator[TlsSentinels]:
    """Return Sentinels by TLS; some builds of servers have none."""
    made = TlsSentinels(tmp_path / "tls", redis_binary, certificate)
    try:
        made.start()
        yield made
    except RedisServerError as error:
        if "tls-port" not in str(error):
            raise
        pytest.skip(f"{redis_binary} was built without TLS")
    finally:
        made.stop()


@pytest.mark.load
def test_everything_runs_by_tls_and_follows_the_primary(sentinels: TlsSentinels, make_stack) -> None:
    """Receiver, worker, Flower and command line reach Sentinels and servers by TLS alone, before and after a switch."""
    stack = make_stack(redis_url=sentinels.url)
    flower = Flower(stack)
    stack.start()
    stack.wait_for(lambda: flower.sees("worker0"), 30, "Flower and its worker")
    assert 200 == stack.post("create", start_of("before", "+61491570156"))[0]
    assert 200 == stack.post("update", end_of("before"))[0]
    stack.wait_for(lambda: len(stack.records("captorra")) == 1, 20, "the call before")
    status, found = command(stack, "doctor")
    assert ("ok", [], 1) == (found["redis"], found["problems"], found["workers"]), status
    assert sentinels.ours(0) == {f"127.0.0.1:{sentinels.tls_ports[0]}"}

    with sentinels.sentinel(0) as client:
        wait_for(lambda: bool(client.sentinel_failover("mymaster")), AGREED_S, "the switch")
    wait_for(lambda: sentinels.primary() == sentinels.tls_ports[1], AGREED_S, "the new primary's name")
    assert 200 == stack.post("create", start_of("after", "+61491570157"))[0]
    assert 200 == stack.post("update", end_of("after"))[0]

    stack.wait_for(lambda: len(stack.records("captorra")) == 2, 30, "the call after")
    assert sentinels.ours(1) == {f"127.0.0.1:{sentinels.tls_ports[1]}"}
    assert all(process.poll() is None for process in stack.processes.values())


@pytest.mark.load
def test_a_stranger_s_certificate_is_not_trusted(sentinels: TlsSentinels, make_stack) -> None:
    """Without its authority no process takes the Sentinels' word for anything; the receiver spools."""
    url = sentinels.url.replace("ssl_ca_certs=", "ssl_ca_certs=/etc/ssl/certs/ca-certificates.crt&ssl_unused=")
    url = "&".join(part for part in url.split("&") if not part.startswith("ssl_unused"))
    stack = make_stack(redis_url=url)
    stack.start(workers=0)

    assert 200 == stack.post("create", start_of("mistrusted", "+61491570156"))[0]
    assert 1 == command(stack, "spool", "status")[1]["events"]
    assert sentinels.ours(0) == set()
