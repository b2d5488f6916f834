"""Free ports, and servers that answer or do not."""

import datetime
import socket
import threading

import pytest

from jamlab.certificate import self_signed
from jamlab.networks.kernel import listening
from jamlab.networks.kernel.listening import answers_tcp, answers_tls, answers_udp, free_ports

HOSTS = ("127.0.0.1", "127.0.0.2")


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("offset", [0, 1])
def test_a_port_is_free_when_it_and_the_next_are_everywhere(monkeypatch, kind, host, offset):
    (port,) = free_ports(HOSTS, 1)
    monkeypatch.setattr(listening, "PORTS", range(port, port + 2))
    assert free_ports(HOSTS, 1) == [port]
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind((host, port + offset))
        with pytest.raises(OSError, match="not enough ports"):
            free_ports(HOSTS, 1)


def test_ports_do_not_overlap():
    ports = free_ports(HOSTS, 50)
    assert len({n for port in ports for n in (port, port + 1)}) == 100


def test_an_address_that_is_none_of_this_machines(monkeypatch):
    monkeypatch.setattr(listening, "PORTS", range(10000, 10010))
    with pytest.raises(OSError, match="not enough ports"):
        free_ports(["203.0.113.1"], 1)


@pytest.mark.parametrize("said", [b"", b"no STUN", b"\x01\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)])
def test_who_says_something_else_does_not_answer(monkeypatch, said):
    monkeypatch.setattr(listening, "PATIENCE_S", 5.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        for end in (udp, tcp):
            end.bind((HOSTS[0], 0))
        tcp.listen()

        def serve():
            _, client = udp.recvfrom(1500)
            udp.sendto(said, client)
            connection, _ = tcp.accept()
            with connection:
                connection.recv(1500)
                connection.sendall(said)

        server = threading.Thread(target=serve)
        server.start()
        assert not answers_udp(udp.getsockname())
        assert not answers_tcp(tcp.getsockname())
        server.join()


def test_where_nobody_is_nobody_answers(tmp_path):
    (port,) = free_ports(HOSTS, 1)
    assert not answers_udp((HOSTS[0], port))
    assert not answers_tcp((HOSTS[0], port))
    certificate, _ = self_signed(HOSTS, datetime.datetime.now(datetime.UTC))
    (tmp_path / "some.pem").write_text(certificate)
    assert not answers_tls((HOSTS[0], port), tmp_path / "some.pem")
