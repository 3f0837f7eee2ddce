"""The master's verdicts on receivers that do not come to serve."""

import socket
import sys

import pytest

from receiver.supervisor import Supervisor


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ([sys.executable, "-c", "raise SystemExit(2)"], 2),
        ([sys.executable, "-c", "raise SystemExit(0)"], 1),
        (["/nowhere/python"], 1),
    ],
    ids=["configuration", "ended", "absent"],
)
async def test_a_first_receiver_that_does_not_serve_ends_the_master(command: list[str], status: int):
    """With the receiver's own status, and never with 0: whoever keeps the service sees that it failed."""
    with socket.socket() as first, socket.socket() as second:
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))

        assert status == await Supervisor([[first], [second]], command=command).run()
