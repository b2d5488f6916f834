"""Tests of jamlab.measure.rig.listening."""

import socket

import pytest

from jamlab.measure.rig.listening import free_port, listened_at


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_is_listened_at_as_long_as_its_socket_is_open(family, kind):
    port = free_port()
    assert not listened_at(port)
    try:
        server = socket.socket(family, kind)
        server.bind(("", port))
    except OSError as error:
        pytest.skip(f"no such socket here: {error}")
    with server:
        if kind == socket.SOCK_STREAM:
            assert not listened_at(port)
            server.listen()
        assert listened_at(port)
    assert not listened_at(port)
