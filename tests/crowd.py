"""A crowd before a receiver's doors, in a process of its own: connections that hold half a request, or never read.

``python -m tests.crowd PORT --half-open 4000 --addresses 40 --unread 200 --seconds 20``: says ``there`` once all have
tried to come in; whoever is hung up on comes again after twenty seconds, for as long as it takes.
"""

import argparse
import asyncio
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

ROOT = Path(__file__).parents[1]
HALF = b"POST /services/calldata HTTP/1.1\r\nHost: x\r\nX-Half"
AGAIN_S = 20.0
AT_ONCE = 200  # connections under way: a full queue of the kernel would only measure its retries


class Crowd:
    """Everybody who stands before the doors."""

    def __init__(self, port: int, asked: bytes) -> None:
        self._port = port
        self._asked = asked
        self._slots = asyncio.Semaphore(AT_ONCE)
        self.came = 0
        self.put_out = 0

    async def stand(self, address: str, *, reads: bool) -> None:
        """Come, say half a request or ask without reading, and come again when hung up on."""
        loop = asyncio.get_running_loop()
        first = True
        while True:
            sock = socket.socket()
            sock.setblocking(False)
            try:
                sock.bind((address, 0))
                async with self._slots:
                    await loop.sock_connect(sock, ("127.0.0.1", self._port))
                self.came += first
                first = False
                if reads:
                    await loop.sock_sendall(sock, HALF)
                    await loop.sock_recv(sock, 1024)
                else:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    while True:
                        await loop.sock_sendall(sock, self._asked * 50)
            except OSError:
                self.came += first
                first = False
            finally:
                sock.close()
            self.put_out += 1
            await asyncio.sleep(AGAIN_S)


async def stand_before(port: int, *, half_open: int, addresses: int, unread: int, asked: bytes, seconds: float) -> None:
    """Stand there for so long."""
    crowd = Crowd(port, asked)
    hosts = [f"127.0.0.{number}" for number in range(2, addresses + 2)]
    tasks = [asyncio.create_task(crowd.stand(host, reads=True)) for host in islice(cycle(hosts), half_open)]
    tasks += [asyncio.create_task(crowd.stand(host, reads=False)) for host in islice(cycle(hosts), unread)]
    until = time.monotonic() + seconds
    while crowd.came < half_open + unread and time.monotonic() < until:  # noqa: ASYNC110  a figure tells nobody
        await asyncio.sleep(0.05)
    print("there", flush=True)
    await asyncio.sleep(max(0.0, until - time.monotonic()))
    print(crowd.came, crowd.put_out, flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def crowd_before(port: int, *, token: str, seconds: float, half_open: int = 4000) -> Iterator["subprocess.Popen[str]"]:
    """Let a crowd of 40 addresses come, and go at the end of the block; the process says ``there``."""
    command = [sys.executable, "-m", "tests.crowd", str(port), "--token", token, "--seconds", str(seconds)]
    process = subprocess.Popen([*command, "--half-open", str(half_open)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)
        assert process.stdout
        process.stdout.close()


def main() -> None:
    """Run the crowd that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.crowd", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--token", default="")
    parser.add_argument("--half-open", type=int, default=4000)
    parser.add_argument("--addresses", type=int, default=40)
    parser.add_argument("--unread", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    body = b'{"PLA_Call_Id":"unread"}'
    asked = f"POST /services/calldata?token={options.token} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    asyncio.run(
        stand_before(
            options.port, half_open=options.half_open, addresses=options.addresses, unread=options.unread,
            asked=asked.encode() + body, seconds=options.seconds,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
