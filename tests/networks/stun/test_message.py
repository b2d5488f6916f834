"""Reading and writing against the vectors of RFC 5769 and a second implementation."""

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.stun import message as stun_message
from jamlab.networks.stun.message import Attribute, MalformedMessageError, encode, parse
from tests.examples import examples
from tests.networks.malformed import ANYTHING, CORPUS
from tests.networks.turn import independent_client as c

SHORT_TERM = bytes.fromhex(  # RFC 5769, section 2.1
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
LONG_TERM = bytes.fromhex(  # RFC 5769, section 2.4
    "000100602112a44278ad3433c6ad72c029da412e"
    "00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b6578616d706c652e6f726700"
    "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
LONG_TERM_KEY = c.long_term_key("マトリックス", "example.org", "TheMatrIX")


class TestParse:
    def test_a_signed_request_of_rfc_5769(self):
        received = parse(SHORT_TERM)
        assert received.message.attributes["USERNAME"] == "evtj:h6vY"
        assert received.message.check_message_integrity(b"VOkJxbRl1RmTxUk/WvJxBt")
        assert [a.type for a in received.attributes] == [0x8022, 0x24, 0x8029, 6, 8, 0x8028]

    def test_what_follows_the_signature_is_not_there(self):
        request = c.message(c.BINDING, c.REQUEST, [], key=b"k")
        added = (
            request
            + c.tlv(0x7777, b"evil")
            + c.tlv(c.XOR_PEER_ADDRESS, c.xor_address(("9.9.9.9", 9)))
        )
        received = parse(added[:2] + (len(added) - 20).to_bytes(2, "big") + added[4:])
        assert received.unknown() == []
        assert stun_message.peer_addresses(received) == []

    def test_every_peer_of_several(self):
        peers = [("9.8.7.6", 5), ("9.8.7.5", 6), ("9.8.7.4", 7)]
        data = c.message(c.CREATE_PERMISSION, c.REQUEST, [c.peer(*peer) for peer in peers])
        assert stun_message.peer_addresses(parse(data)) == peers

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            SHORT_TERM[:19],
            SHORT_TERM[:-4],
            SHORT_TERM + b"\0\0\0\0",
            SHORT_TERM[:-1] + b"\0",
            SHORT_TERM[:4] + b"\0\0\0\0" + SHORT_TERM[8:],
            b"\x40" + SHORT_TERM[1:],
            c.message(0x0FE, c.REQUEST),
            c.message(c.BINDING, c.REQUEST, [(c.LIFETIME, b"123")]),
            c.message(c.BINDING, c.REQUEST, [(c.USERNAME, b"\xff")]),
            c.message(c.BINDING, c.REQUEST, [(c.XOR_PEER_ADDRESS, b"\0\3" + bytes(6))]),
            c.message(c.BINDING, c.REQUEST)[:2] + b"\0\4\x21\x12\xa4\x42" + bytes(12) + b"\0\6\0\4",
        ],
    )
    def test_malformed(self, data):
        with pytest.raises(MalformedMessageError, match="STUN"):
            parse(data)

    @examples(500)
    @given(ANYTHING)
    def test_anything_is_read_or_malformed(self, data):
        try:
            received = parse(data)
        except MalformedMessageError:
            return
        assert received.message.transaction_id == data[8:20]
        assert stun_message.is_bare_binding_request(data) == (
            data[:2] == b"\0\1" and received.attributes == ()
        )

    def test_the_corpus_has_both_kinds(self):
        """Else the mutations would start from nothing worth mutating."""
        bare = [stun_message.is_bare_binding_request(data) for data in CORPUS]
        assert 0 < sum(bare) < len(bare)


class TestEncode:
    def test_the_long_term_request_of_rfc_5769(self):
        message = stun.Message(
            stun.Method.BINDING,
            stun.Class.REQUEST,
            LONG_TERM[8:20],
            {
                "USERNAME": "マトリックス",
                "NONCE": b"f//499k954d6OL34oL9FSTvy64sA",
                "REALM": "example.org",
            },
        )
        assert encode(message, key=LONG_TERM_KEY) == LONG_TERM

    @given(st.binary(max_size=9), st.one_of(st.none(), st.binary(max_size=20)), st.booleans())
    def test_as_the_other_implementation(self, value, key, fingerprint):
        tid = c.transaction()
        message = stun.Message(stun.Method.SEND, stun.Class.INDICATION, tid, {"DATA": b"12345"})
        expected = c.message(
            c.SEND,
            c.INDICATION,
            [(c.DATA_ATTRIBUTE, b"12345"), (0xABCD, value)],
            tid=tid,
            key=key,
            fingerprint=fingerprint,
        )
        extra = [Attribute(0xABCD, value)]
        assert encode(message, extra=extra, key=key, fingerprint=fingerprint) == expected
