"""Binding of addresses."""

import errno

import pytest

from receiver.sockets import listen


def close(sockets):
    """Close them and return their ports."""
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def test_a_name_with_several_addresses_gets_one_port():
    """Both of localhost's addresses take the port that was free for the first."""
    ports = close(listen("localhost", 0, reuse_port=False))

    assert 1 == len(set(ports))
    assert ports[0] > 0


def test_a_port_that_is_taken_is_refused_unless_it_is_shared():
    """Sharing is asked for by all who share."""
    first = listen("127.0.0.1", 0, reuse_port=True)
    port = first[0].getsockname()[1]
    first[0].listen()
    second = listen("127.0.0.1", port, reuse_port=True)
    with pytest.raises(OSError, match="in use") as error:
        listen("127.0.0.1", port, reuse_port=False)

    assert errno.EADDRINUSE == error.value.errno
    assert [port] == close(second)
    close(first)


def test_an_address_of_another_machine_is_refused():
    """There is nothing left to listen on."""
    with pytest.raises(OSError, match="assign") as error:
        listen("192.0.2.1", 0, reuse_port=False)

    assert errno.EADDRNOTAVAIL == error.value.errno
