"""What a socket of the agent does with each kind of datagram (RFC 7983 §7)."""

import asyncio
import struct

import pytest
from aioice import Connection
from aioice.stun import ATTRIBUTES_BY_TYPE, Class, Message, Method
from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.agent.sockets import AwaitedAnswer, Socket, may_be_checked
from tests.examples import examples

SOURCE = ("192.0.2.1", 5000)


@pytest.fixture
def taken():
    return []


@pytest.fixture
async def socket(taken):
    return Socket(Connection(ice_controlling=True), lambda *data: taken.append(data))


async def test_stun_answers_a_check_and_the_rest_goes_to_the_agent(socket, taken):
    request = Message(message_method=Method.BINDING, message_class=Class.REQUEST)
    answers = []
    socket.transactions[request.transaction_id] = AwaitedAnswer(lambda *got: answers.append(got))
    response = Message(Method.BINDING, Class.RESPONSE, request.transaction_id)
    socket.datagram_received(bytes(response), SOURCE)
    [(message, source)] = answers
    assert (message.transaction_id, source) == (request.transaction_id, SOURCE)
    rtp = bytes((128, 96)) + bytes(20)
    socket.datagram_received(rtp, (*SOURCE, 0, 0))  # IPv6 has four parts
    assert taken == [(rtp, SOURCE, socket)]


@pytest.mark.parametrize("datagram", [b"", b"\x80", b"\x80" * 2000, b"\xff" * 40])
async def test_what_is_nothing_is_dropped(socket, taken, datagram):
    socket.datagram_received(datagram, SOURCE)
    assert taken == []


@examples(500, deadline=None)
@given(
    kind=st.sampled_from((0x0001, 0x0011, 0x0101, 0x0111)),
    attribute=st.sampled_from(sorted(ATTRIBUTES_BY_TYPE)),
    stated=st.integers(0, 24),
    value=st.binary(max_size=24),
)
def test_malformed_stun_raises_nothing(kind, attribute, stated, value):
    """An exception here would be logged by the event loop as an error of ours."""

    async def main():
        body = struct.pack("!HH", attribute, stated) + value
        datagram = struct.pack("!HHI12s", kind, len(body), 0x2112A442, bytes(12)) + body
        taken = []
        receiver = Connection(ice_controlling=True)
        receiver.data_received = lambda *data: taken.append(data)
        receiver.request_received = lambda *_: None
        socket = Socket(receiver, lambda *data: taken.append(data))
        socket.local_candidate = type("Local", (), {"component": 1})
        socket.datagram_received(datagram, SOURCE)
        assert all(data[0] == datagram for data in taken)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("224.0.0.251", 5353),
        ("239.255.255.250", 1900),
        ("255.255.255.255", 9),
        ("0.0.0.0", 5000),
        ("192.0.2.1", 0),
        ("::", 5000),
        ("ff02::fb", 5353),
        ("fe80::1%eth0", 5000),
        ("::ffff:192.0.2.1", 5000),
    ],
)
def test_no_check_goes_to_many_hosts_or_to_none(host, port):
    assert not may_be_checked(host, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.7", "2001:db8::1", "fd00::1", "abc.local"])
def test_checks_go_to_any_other_address(host):
    assert may_be_checked(host, 9)
