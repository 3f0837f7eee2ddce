"""Binds the addresses that the receiver listens on."""

import errno
import socket
from typing import Any

SEND_BUFFER_BYTES = 4096
"""What the kernel holds of answers that a client does not read; connections take it over from the listening socket.
The default of some MB would let one who never reads have thousands of requests served."""


def listen(host: str, port: int, *, reuse_port: bool) -> list[socket.socket]:
    """Bind every address of ``host``; raises ``OSError``. Port 0 takes a free one.

    ``reuse_port``: other receivers on this machine may listen on the same port, and the kernel spreads connections.
    """
    sockets: list[socket.socket] = []
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # IPv4 first: "localhost" names ::1 on machines that have no IPv6, too.
    for family, _, _, _, address in sorted(found, key=lambda entry: entry[0] == socket.AF_INET6):
        # The addresses after the first take the port that the first was given.
        taken = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_bound(family, (address[0], taken, *address[2:]), reuse_port=reuse_port))
        except OSError as error:
            if sockets and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                continue
            for sock in sockets:
                sock.close()
            raise
    return sockets


def _bound(family: int, address: tuple[Any, ...], *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
