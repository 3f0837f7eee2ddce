"""Which TCP ports the processes of a local stack take."""

import errno
import random
import socket

from deploy.local.fault import StackFault

# Below the ports that Linux, macOS and the BSDs give to outgoing connections, any of which might come in between.
_SPARE = range(20_000, 32_000)
_TRIES = 100


def is_free(host: str, port: int) -> bool:
    """Say whether nobody listens on a port; raises ``StackFault`` when this machine has no such address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # As servers do: what a stopped one's connections leave behind is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise StackFault(f"nothing can listen on {host}:{port}: {error.strerror}") from error
        return True


def asked_port(host: str, port: int, *, instead: str) -> int:
    """Give the port that was asked for, a free one for 0; raises ``StackFault`` when it is taken.

    ``instead`` says what the user may do then.
    """
    if port == 0:
        return spare_port()
    if not is_free(host, port):
        raise StackFault(f"port {port} is taken, another program listens on {host}:{port}: {instead}")
    return port


def usual_port(port: int) -> int:
    """Give the usual port on loopback, or a free one when it is taken."""
    return port if is_free("127.0.0.1", port) else spare_port()


def spare_port() -> int:
    """Give a free port of loopback that nothing else is likely to take before its process listens."""
    for port in random.sample(_SPARE, _TRIES):
        if is_free("127.0.0.1", port):
            return port
    raise StackFault("no free port was found on this machine")
