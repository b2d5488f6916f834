"""The STUN core against RFC 8489 and the table of RFC 5780, read with the tests' own parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.stun.core import StunCore
from tests.examples import examples
from tests.networks.malformed import ANYTHING
from tests.networks.turn import independent_client as c

CLIENT = ("203.0.113.9", 40000)
DA, CA, DP, CP = "198.51.100.1", "198.51.100.2", 3478, 3479
CHANGE_PORT, CHANGE_IP = 2, 4
HOSTS = st.integers(0, 2**32 - 1).map(lambda n: ".".join(str(b) for b in n.to_bytes(4, "big")))


def one():
    return StunCore([DA], [DP])


def two():
    return StunCore([DA, CA], [DP, CP])


def asked(core, *attributes, at=(DA, DP), source=CLIENT, **options):
    request = c.message(c.BINDING, c.REQUEST, attributes, **options)
    reply = core.receive(request, source, at)
    answer = c.read(reply.payload)
    assert answer.tid == request[8:20]
    assert answer.method == c.BINDING
    return reply, answer


def change(flags):
    return c.CHANGE_REQUEST, flags.to_bytes(4, "big")


class TestBinding:
    @given(HOSTS, st.integers(0, 65535), st.booleans())
    def test_tells_where_the_request_came_from(self, host, port, fingerprint):
        reply, answer = asked(one(), source=(host, port), fingerprint=fingerprint)
        assert answer.class_ == c.SUCCESS
        assert reply.source == (DA, DP)
        assert reply.destination == (host, port)
        assert answer.address(c.XOR_MAPPED_ADDRESS) == (host, port)
        assert answer.address(c.MAPPED_ADDRESS, xor=False) == (host, port)
        assert answer.address(c.RESPONSE_ORIGIN, xor=False) == (DA, DP)
        assert (c.FINGERPRINT in answer.attributes) == fingerprint

    def test_attributes_that_may_be_ignored_are(self):
        _, answer = asked(one(), (0x8022, b"a client"), (0xC001, b"x"))
        assert answer.class_ == c.SUCCESS

    @pytest.mark.parametrize("fingerprint", [False, True])
    def test_unknown_attributes_are_refused_and_listed(self, fingerprint):
        core = one()
        _, answer = asked(core, (0x7001, b"x"), (0x0030, b""), fingerprint=fingerprint)
        assert answer.class_ == c.ERROR
        assert answer.code == 420
        assert answer.unknown() == [0x0030, 0x7001]
        assert (c.FINGERPRINT in answer.attributes) == fingerprint
        assert core.counters.refused == 1

    @pytest.mark.parametrize(
        "data",
        [
            c.message(c.BINDING, c.INDICATION),
            c.message(c.BINDING, c.SUCCESS),
            c.message(c.ALLOCATE, c.REQUEST, [c.UDP_TRANSPORT]),
        ],
    )
    def test_what_asks_for_nothing_gets_nothing(self, data):
        core = one()
        assert core.receive(data, CLIENT, (DA, DP)) is None
        assert core.counters.discarded == 1

    def test_a_wrong_fingerprint_is_malformed(self):
        core = one()
        data = c.message(c.BINDING, c.REQUEST, fingerprint=True)
        assert core.receive(data[:-1] + bytes([data[-1] ^ 1]), CLIENT, (DA, DP)) is None
        assert core.counters.malformed == 1


class TestDiscovery:
    @pytest.mark.parametrize("host", [DA, CA])
    @pytest.mark.parametrize("port", [DP, CP])
    @pytest.mark.parametrize("flags", [0, CHANGE_PORT, CHANGE_IP, CHANGE_PORT | CHANGE_IP])
    def test_table_1_of_rfc_5780(self, host, port, flags):
        other = ({DA: CA, CA: DA}[host], {DP: CP, CP: DP}[port])
        origin = (
            other[0] if flags & CHANGE_IP else host,
            other[1] if flags & CHANGE_PORT else port,
        )
        reply, answer = asked(two(), change(flags), at=(host, port))
        assert reply.source == origin
        assert reply.destination == CLIENT
        assert answer.address(c.RESPONSE_ORIGIN, xor=False) == origin
        assert answer.address(c.OTHER_ADDRESS, xor=False) == other

    def test_other_address_comes_unasked(self):
        _, answer = asked(two())
        assert answer.address(c.OTHER_ADDRESS, xor=False) == (CA, CP)

    @pytest.mark.parametrize("flags", [0, CHANGE_PORT, CHANGE_IP | CHANGE_PORT])
    def test_one_host_refuses_to_change(self, flags):
        reply, answer = asked(one(), change(flags))
        assert (answer.class_, answer.code) == (c.ERROR, 420)
        assert answer.unknown() == [c.CHANGE_REQUEST]
        assert reply.source == (DA, DP)

    def test_one_host_has_no_other_address(self):
        _, answer = asked(one())
        assert c.OTHER_ADDRESS not in answer.attributes

    def test_response_port(self):
        reply, answer = asked(two(), (c.RESPONSE_PORT, b"\x12\x34\0\0"), change(CHANGE_IP))
        assert reply.destination == (CLIENT[0], 0x1234)
        assert reply.source == (CA, DP)
        assert answer.address(c.XOR_MAPPED_ADDRESS) == CLIENT

    @pytest.mark.parametrize("length", [0, 3, 1500])
    def test_padding_is_answered_with_as_much(self, length):
        _, answer = asked(two(), (c.PADDING, b"p" * length))
        assert len(answer.attributes[c.PADDING]) == length

    def test_padding_with_response_port_is_a_bad_request(self):
        reply, answer = asked(two(), (c.PADDING, b"p"), (c.RESPONSE_PORT, b"\x12\x34\0\0"))
        assert answer.code == 400
        assert reply.destination == CLIENT

    @pytest.mark.parametrize("value", [b"", b"\x12", b"\x12\x34\0\0\0"])
    def test_a_response_port_of_another_size_is_a_bad_request(self, value):
        _, answer = asked(two(), (c.RESPONSE_PORT, value))
        assert answer.code == 400


class TestAddresses:
    @pytest.mark.parametrize(
        ("hosts", "ports"),
        [([], []), ([DA], [1, 2]), ([DA, CA], [1]), ([DA, CA, "198.51.100.3"], [1, 2, 3])],
    )
    def test_one_or_two_of_each(self, hosts, ports):
        with pytest.raises(ValueError, match=f"not {len(hosts)} and {len(ports)}"):
            StunCore(hosts, ports)

    @pytest.mark.parametrize(("hosts", "ports"), [([DA, DA], [1, 2]), ([DA, CA], [1, 1])])
    def test_two_that_differ(self, hosts, ports):
        with pytest.raises(ValueError, match="needs two different hosts and ports"):
            StunCore(hosts, ports)


class TestAnything:
    @examples(500)
    @given(st.lists(ANYTHING, max_size=5), st.sampled_from([one, two]))
    def test_is_counted_and_never_raises(self, datagrams, server):
        core = server()
        replies = [core.receive(data, CLIENT, (DA, DP)) for data in datagrams]
        for reply in filter(None, replies):
            assert reply.source in core.addresses
            assert c.read(reply.payload).class_ in (c.SUCCESS, c.ERROR)
        counters = core.counters
        assert counters.received == len(datagrams)
        assert counters.answered + counters.refused == len(datagrams) - replies.count(None)
        assert counters.discarded + counters.malformed == replies.count(None)
