"""The TURN core against the rules of RFC 8656, with an independent client and a set clock."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.packet import TCP, UDP
from jamlab.networks.turn.actions import Client, CloseRelay, OpenRelay, ToClient, ToPeer
from jamlab.networks.turn.allocation import Allocation
from jamlab.networks.turn.core import TurnCore
from tests.examples import examples
from tests.networks.malformed import ANYTHING
from tests.networks.turn import independent_client as c

CLIENT, OTHER = Client(("203.0.113.9", 40000), UDP), Client(("203.0.113.9", 40001), UDP)
RELAYED, OTHER_RELAYED = ("198.51.100.1", 50000), ("198.51.100.1", 50002)
PEER, STRANGER = ("192.0.2.7", 7000), ("192.0.2.8", 7000)
IPV6_PEER = c.XOR_PEER_ADDRESS, b"\0\2" + bytes(18)


class Lab:
    """A server, one client of it, and the time."""

    def __init__(self, client=CLIENT, core=None, account=None, **options):
        users = {"ada": "secret", "ben": "hidden"}
        self.core = core or TurnCore(users, realm="jamlab", rng=random.Random(1), **options)
        self.account = account or c.Account()
        self.client = client
        self.now = 0.0

    def send(self, data):
        return list(self.core.receive(data, self.client, self.now))

    def answers(self, actions):
        """Read what goes to the client, and check its signature."""
        read = [c.read(action.payload) for action in actions if isinstance(action, ToClient)]
        for answer in read:
            if answer.class_ == c.SUCCESS or answer.code not in (400, 401, 438):
                assert answer.is_signed_with(self.account.key)
        return read

    def ask(self, method, *attributes, **options):
        """Send a request, take a nonce when that is all that is missing, and open what is asked."""
        if not self.account.nonce:
            (answer,) = self.answers(self.send(c.message(method, c.REQUEST, attributes)))
            assert answer.code == 401
            assert answer.attributes[c.REALM] == b"jamlab"
            self.account.nonce = answer.attributes[c.NONCE]
        actions = self.send(self.account.request(method, *attributes, **options))
        if OpenRelay(self.client, False) in actions:
            actions = self.core.relay_opened(self.client, RELAYED, self.now)
        (answer,) = self.answers(actions)
        return answer

    def refused(self, method, *attributes):
        answer = self.ask(method, *attributes)
        assert answer.class_ == c.ERROR
        return answer.code

    def allocate(self, *attributes, **options):
        answer = self.ask(c.ALLOCATE, c.UDP_TRANSPORT, *attributes, **options)
        assert answer.class_ == c.SUCCESS
        return answer

    def from_peer(self, data, peer=PEER):
        return self.core.receive_from_peer(data, peer, self.client, self.now)


@pytest.fixture(name="lab")
def make_lab():
    lab = Lab()
    lab.allocate()
    return lab


class TestBinding:
    @pytest.mark.parametrize("fingerprint", [False, True])
    def test_needs_no_password(self, fingerprint):
        (action,) = Lab().send(c.message(c.BINDING, c.REQUEST, fingerprint=fingerprint))
        assert action.client == CLIENT
        answer = c.read(action.payload)
        assert answer.address(c.XOR_MAPPED_ADDRESS) == CLIENT.address
        assert (c.FINGERPRINT in answer.attributes) == fingerprint

    def test_has_no_behaviour_discovery(self):
        data = c.message(c.BINDING, c.REQUEST, [(c.CHANGE_REQUEST, bytes(4))])
        (action,) = Lab().send(data)
        assert c.read(action.payload).unknown() == [c.CHANGE_REQUEST]


class TestAllocate:
    def test_answer(self):
        answer = Lab().allocate()
        assert answer.address(c.XOR_RELAYED_ADDRESS) == RELAYED
        assert answer.address(c.XOR_MAPPED_ADDRESS) == CLIENT.address
        assert answer.seconds() == 600

    @pytest.mark.parametrize(("asked", "given"), [(10, 600), (1200, 1200), (10**6, 3600)])
    def test_lifetime(self, asked, given):
        assert Lab().allocate(c.lifetime(asked)).seconds() == given

    def test_a_fingerprint_is_answered_with_one(self):
        assert c.FINGERPRINT in Lab().allocate(fingerprint=True).attributes

    def test_wrong_password(self):
        lab = Lab(account=c.Account("ada", "wrong"))
        assert lab.refused(c.ALLOCATE, c.UDP_TRANSPORT) == 401
        assert lab.core.counters.refused == {401: 2}

    def test_stale_nonce(self):
        lab = Lab(nonce_lifetime_s=60.0)
        lab.allocate()
        lab.now = 61.0
        answer = lab.ask(c.REFRESH)
        assert answer.code == 438
        assert answer.attributes[c.REALM] == b"jamlab"
        lab.account.nonce = answer.attributes[c.NONCE]
        assert lab.ask(c.REFRESH).class_ == c.SUCCESS

    @pytest.mark.parametrize(
        ("attributes", "code"),
        [
            ([], 400),
            ([(c.TRANSPORT, b"\x06\0\0\0")], 442),
            ([c.UDP_TRANSPORT, (c.FAMILY, b"\2\0\0\0")], 440),
            ([c.UDP_TRANSPORT, (c.EVEN_PORT, b"\x80")], 508),
            ([c.UDP_TRANSPORT, (c.RESERVATION_TOKEN, bytes(8))], 508),
            ([c.UDP_TRANSPORT, (c.RESERVATION_TOKEN, bytes(8)), (c.EVEN_PORT, b"\0")], 400),
        ],
    )
    def test_refusals(self, attributes, code):
        lab = Lab()
        assert lab.refused(c.ALLOCATE, *attributes) == code
        assert lab.core.allocations == {}

    def test_unknown_attributes(self):
        answer = Lab().ask(c.ALLOCATE, c.UDP_TRANSPORT, (c.DONT_FRAGMENT, b""))
        assert answer.code == 420
        assert answer.unknown() == [c.DONT_FRAGMENT]

    def test_the_family_there_is(self):
        assert Lab().allocate((c.FAMILY, b"\1\0\0\0")).class_ == c.SUCCESS

    def test_an_even_port_is_asked_of_the_shell(self):
        lab = Lab()
        lab.refused(c.ALLOCATE)
        data = lab.account.request(c.ALLOCATE, c.UDP_TRANSPORT, (c.EVEN_PORT, b"\0"))
        assert lab.send(data) == [OpenRelay(CLIENT, True)]

    def test_a_retransmission_gets_the_same_answer(self, lab):
        request = lab.account.request(c.ALLOCATE, c.UDP_TRANSPORT)
        other = Lab(core=lab.core, client=OTHER)
        other.refused(c.REFRESH)
        request = other.account.request(c.ALLOCATE, c.UDP_TRANSPORT)
        assert other.send(request) == [OpenRelay(OTHER, False)]
        assert other.send(request) == []  # the answer is on its way
        (first,) = other.core.relay_opened(OTHER, RELAYED, 0.0)
        other.now = 1.0
        assert other.send(request) == [first]
        assert len(lab.core.allocations) == 2

    def test_a_second_one_is_a_mismatch(self, lab):
        assert lab.refused(c.ALLOCATE, c.UDP_TRANSPORT) == 437

    def test_so_is_one_while_the_first_is_being_made(self):
        lab = Lab()
        lab.refused(c.ALLOCATE)
        lab.send(lab.account.request(c.ALLOCATE, c.UDP_TRANSPORT))
        assert lab.refused(c.ALLOCATE, c.UDP_TRANSPORT) == 437

    def test_no_relay_to_be_had(self):
        lab = Lab()
        lab.refused(c.ALLOCATE)
        lab.send(lab.account.request(c.ALLOCATE, c.UDP_TRANSPORT))
        (answer,) = lab.answers(lab.core.relay_failed(CLIENT))
        assert answer.code == 508
        lab.allocate()

    def test_quota(self):
        lab = Lab(quota=1)
        lab.allocate()
        more = Lab(core=lab.core, client=OTHER)
        assert more.refused(c.ALLOCATE, c.UDP_TRANSPORT) == 486
        Lab(core=lab.core, client=OTHER, account=c.Account("ben", "hidden")).allocate()
        lab.ask(c.REFRESH, c.lifetime(0))
        Lab(core=lab.core, client=CLIENT).allocate()

    def test_what_expired_makes_room(self, lab):
        lab.now = 600.0
        lab.account.nonce = b""
        lab.refused(c.REFRESH)
        actions = lab.send(lab.account.request(c.ALLOCATE, c.UDP_TRANSPORT))
        assert actions == [CloseRelay(CLIENT), OpenRelay(CLIENT, False)]


class TestRefresh:
    def test_prolongs(self, lab):
        lab.now = 500.0
        assert lab.ask(c.REFRESH, c.lifetime(900)).seconds() == 900
        assert lab.core.expire(CLIENT, 1399.9) == ()
        assert lab.core.expire(CLIENT, 1400.0) == [CloseRelay(CLIENT)]
        assert lab.core.expire(CLIENT, 1400.0) == ()

    def test_lifetime_0_deletes(self, lab):
        actions = lab.send(lab.account.request(c.REFRESH, c.lifetime(0)))
        assert lab.answers(actions)[0].seconds() == 0
        assert actions[1] == CloseRelay(CLIENT)
        assert lab.refused(c.REFRESH, c.lifetime(0)) == 437

    def test_another_family(self, lab):
        assert lab.refused(c.REFRESH, (c.FAMILY, b"\2\0\0\0")) == 443


REQUESTS = [
    (c.REFRESH, []),
    (c.CREATE_PERMISSION, [c.peer(*PEER)]),
    (c.CHANNEL_BIND, [c.peer(*PEER), c.number(0x4000)]),
]


class TestOwner:
    @pytest.mark.parametrize(("method", "attributes"), REQUESTS)
    def test_no_allocation(self, method, attributes):
        assert Lab().refused(method, *attributes) == 437

    @pytest.mark.parametrize(("method", "attributes"), REQUESTS)
    def test_somebody_elses(self, lab, method, attributes):
        ben = Lab(core=lab.core, account=c.Account("ben", "hidden"))
        assert ben.refused(method, *attributes) == 441

    @pytest.mark.parametrize(("method", "attributes"), REQUESTS)
    def test_an_expired_one(self, lab, method, attributes):
        lab.now, lab.account.nonce = 600.0, b""
        assert lab.refused(method, *attributes) == 437

    def test_a_lost_connection_takes_it_along(self, lab):
        assert lab.core.client_lost(CLIENT) == [CloseRelay(CLIENT)]
        assert lab.core.client_lost(CLIENT) == ()
        assert lab.refused(c.REFRESH) == 437

    def test_or_what_is_being_made(self):
        lab = Lab()
        lab.refused(c.ALLOCATE)
        lab.send(lab.account.request(c.ALLOCATE, c.UDP_TRANSPORT))
        assert lab.core.client_lost(CLIENT) == [CloseRelay(CLIENT)]


def sent(data, *more, peer=PEER):
    return c.message(c.SEND, c.INDICATION, [c.peer(*peer), (c.DATA_ATTRIBUTE, data), *more])


class TestPermission:
    @pytest.mark.parametrize(
        ("attributes", "code"),
        [([], 400), ([IPV6_PEER], 443), ([c.peer(*PEER), IPV6_PEER], 443)],
    )
    def test_refusals(self, lab, attributes, code):
        assert lab.refused(c.CREATE_PERMISSION, *attributes) == code
        assert lab.send(sent(b"data")) == []  # none or all are installed

    def test_several_at_once(self, lab):
        lab.ask(c.CREATE_PERMISSION, c.peer(*PEER), c.peer(*STRANGER))
        assert lab.send(sent(b"a")) == [ToPeer(CLIENT, PEER, b"a")]
        assert lab.send(sent(b"b", peer=STRANGER)) == [ToPeer(CLIENT, STRANGER, b"b")]

    def test_is_for_a_host_whatever_the_port(self, lab):
        lab.ask(c.CREATE_PERMISSION, c.peer(PEER[0], 1))
        assert lab.send(sent(b"a")) == [ToPeer(CLIENT, PEER, b"a")]
        assert lab.from_peer(b"b") is not None
        assert lab.from_peer(b"b", STRANGER) is None

    def test_expires_and_data_does_not_refresh_it(self, lab):
        lab.ask(c.CREATE_PERMISSION, c.peer(*PEER))
        lab.now = 299.9
        assert lab.send(sent(b"a")) == [ToPeer(CLIENT, PEER, b"a")]
        assert lab.from_peer(b"b") is not None
        lab.now = 300.0
        assert lab.send(sent(b"a")) == []
        assert lab.from_peer(b"b") is None
        assert lab.core.counters.rejected_from_peers == 1


class TestIndications:
    def test_data_comes_as_a_data_indication(self, lab):
        lab.ask(c.CREATE_PERMISSION, c.peer(*PEER))
        answer = c.read(lab.from_peer(b"hello").payload)
        assert (answer.method, answer.class_) == (c.DATA, c.INDICATION)
        assert answer.attributes[c.DATA_ATTRIBUTE] == b"hello"
        assert answer.address(c.XOR_PEER_ADDRESS) == PEER

    @pytest.mark.parametrize(
        "data",
        [
            c.message(c.SEND, c.INDICATION, [c.peer(*PEER)]),
            c.message(c.SEND, c.INDICATION, [(c.DATA_ATTRIBUTE, b"x")]),
            sent(b"x", (c.DONT_FRAGMENT, b"")),
            sent(b"x", peer=STRANGER),
            c.message(c.DATA, c.INDICATION, [c.peer(*PEER), (c.DATA_ATTRIBUTE, b"x")]),
            c.message(c.SEND, c.REQUEST),
        ],
    )
    def test_what_cannot_be_sent_is_discarded(self, lab, data):
        lab.ask(c.CREATE_PERMISSION, c.peer(*PEER))
        assert lab.send(data) == []
        assert lab.core.counters.discarded == 1

    def test_nothing_without_an_allocation(self):
        lab = Lab()
        assert lab.send(sent(b"x")) == []
        assert lab.send(c.channel_data(0x4000, b"x")) == []
        assert lab.from_peer(b"x") is None

    def test_no_data_at_all_is_data_too(self, lab):
        lab.ask(c.CREATE_PERMISSION, c.peer(*PEER))
        assert lab.send(sent(b"")) == [ToPeer(CLIENT, PEER, b"")]


class TestChannels:
    @pytest.mark.parametrize(
        ("attributes", "code"),
        [
            ([], 400),
            ([c.peer(*PEER)], 400),
            ([c.number(0x4000)], 400),
            ([c.peer(*PEER), c.number(0x3FFF)], 400),
            ([c.peer(*PEER), c.number(0x8000)], 400),
            ([IPV6_PEER, c.number(0x4000)], 443),
        ],
    )
    def test_refusals(self, lab, attributes, code):
        assert lab.refused(c.CHANNEL_BIND, *attributes) == code

    def test_one_channel_one_peer(self, lab):
        lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4000))
        assert lab.refused(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4001)) == 400
        assert lab.refused(c.CHANNEL_BIND, c.peer(*STRANGER), c.number(0x4000)) == 400
        assert lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4000)).class_ == c.SUCCESS

    @given(st.binary(max_size=50), st.sampled_from([UDP, TCP]))
    def test_data_both_ways(self, data, transport):
        client = Client(("203.0.113.9", 40000), transport)
        lab = Lab(client)
        lab.allocate()
        lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4ABC))
        assert lab.send(c.channel_data(0x4ABC, data)) == [ToPeer(client, PEER, data)]
        padding = bytes(-len(data) % 4) if transport == TCP else b""
        assert lab.from_peer(data) == ToClient(client, c.channel_data(0x4ABC, data) + padding)
        counters = lab.core.counters
        assert (counters.relayed_to_peers, counters.relayed_to_clients) == (1, 1)

    def test_media_is_counted_where_it_leaves_for_its_receiver(self, lab):
        """Once, whether it passes one relay or its sender's and then its receiver's."""
        lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4000))
        other = Lab(OTHER, core=lab.core)
        lab.core.allocations[OTHER] = Allocation(
            lab.core.allocations[CLIENT].identity, OTHER_RELAYED, b"", 1e9
        )
        lab.ask(c.CHANNEL_BIND, c.peer(*OTHER_RELAYED), c.number(0x4001))
        rtp = bytes([0x80, 96]) + bytes(20)
        lab.send(c.channel_data(0x4000, rtp))  # to a peer without a relay
        assert lab.core.counters.relayed_media == 1
        lab.send(c.channel_data(0x4001, rtp))  # to another's relay, on its way
        assert lab.core.counters.relayed_media == 1
        lab.core.allocations[OTHER].permit(RELAYED[0], 0.0)
        assert other.core.receive_from_peer(rtp, RELAYED, OTHER, 0.0) is not None
        assert lab.core.counters.relayed_media == 2

    @pytest.mark.parametrize("start", [(0x81, 200), (0x81, 201), (22, 254), (0, 1), (0x40, 0)])
    def test_what_is_no_media_is_not_counted_as_it(self, lab, start):
        lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4000))
        lab.send(c.channel_data(0x4000, bytes(start) + bytes(20)))
        lab.from_peer(bytes(start) + bytes(20))
        counters = lab.core.counters
        assert (counters.relayed_to_peers, counters.relayed_to_clients) == (1, 1)
        assert counters.relayed_media == 0

    def test_padding_of_a_datagram_is_cut(self, lab):
        lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4000))
        data = c.channel_data(0x4000, b"12345") + bytes(3)
        assert lab.send(data) == [ToPeer(CLIENT, PEER, b"12345")]

    @pytest.mark.parametrize("data", [b"\x40", b"\x40\0\0", b"\x40\0\0\x05four"])
    def test_too_short(self, lab, data):
        lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4000))
        assert lab.send(data) == []
        assert lab.core.counters.malformed == 1

    def test_600_seconds_out_300_in(self, lab):
        """The binding carries data out while it lasts; in, its permission has to last as well."""
        lab.ask(c.CHANNEL_BIND, c.peer(*PEER), c.number(0x4000))
        lab.ask(c.REFRESH, c.lifetime(3600))
        lab.now = 300.0
        assert lab.send(c.channel_data(0x4000, b"x")) == [ToPeer(CLIENT, PEER, b"x")]
        assert lab.from_peer(b"x") is None
        lab.now = 600.0
        assert lab.send(c.channel_data(0x4000, b"x")) == []


class TestAnything:
    @examples(500)
    @given(st.lists(ANYTHING, max_size=5), st.booleans())
    def test_never_raises(self, datagrams, allocated):
        lab = Lab()
        if allocated:
            lab.allocate()
        for data in datagrams:
            for action in lab.send(data):
                if isinstance(action, ToClient):
                    c.read(action.payload)

    @examples(300)
    @given(
        st.sampled_from([c.ALLOCATE, c.REFRESH, c.CREATE_PERMISSION, c.CHANNEL_BIND]),
        st.lists(
            st.tuples(
                st.sampled_from([3, 4, 0xC, 0xD, 0x12, 0x17, 0x18, 0x19, 0x22, 0x24, 0x8028]),
                st.binary(max_size=21),
            ),
            max_size=4,
        ),
    )
    def test_nor_when_it_is_signed(self, method, attributes):
        lab = Lab()
        lab.allocate()
        for action in lab.send(lab.account.request(method, *attributes)):
            if isinstance(action, ToClient):
                assert c.read(action.payload).method == method
