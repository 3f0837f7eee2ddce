"""The load driver counts each answer once, however they come."""

from tests.bench.driver import Connection, Load, requests_of


class Wire:
    """Takes what is written."""

    def write(self, data: bytes) -> None:
        """Take it."""


def answer(status: int) -> bytes:
    """Return a small answer."""
    return b"HTTP/1.1 %d Some Phrase\r\nContent-Length: 2\r\n\r\n{}" % status


async def test_answers_that_come_together_are_counted_one_by_one():
    """After a stall two answers share a segment; one that is overlooked would count as lost 75 s later."""
    load = Load(requests_of("complete", count=3, first=0))
    connection = Connection(load, pull=False)
    connection.connection_made(Wire())
    for place in range(3):
        connection.send(place, 0.0)
    connection.data_received(answer(200) + answer(503))
    connection.data_received(answer(200))

    assert load.done.done()
    assert ({"503": 1}, 0, [0, 1, 2]) == (load.refused, load.lost, list(load.answered_at))
