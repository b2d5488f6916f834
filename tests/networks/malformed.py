"""Malformed messages: mutations of real messages, and random bytes."""

from hypothesis import strategies as st

from tests.networks.turn import independent_client as c

ADA = c.Account()
ADA.nonce = b"0123456789abcdef"
CORPUS = [
    c.message(c.BINDING, c.REQUEST),
    c.message(c.BINDING, c.REQUEST, [(c.CHANGE_REQUEST, b"\0\0\0\6")], fingerprint=True),
    c.message(c.BINDING, c.REQUEST, [(c.RESPONSE_PORT, b"\x12\x34\0\0"), (c.PADDING, bytes(9))]),
    c.message(c.BINDING, c.SUCCESS, [(c.XOR_MAPPED_ADDRESS, c.xor_address(("9.8.7.6", 5)))]),
    c.message(c.ALLOCATE, c.REQUEST, [c.UDP_TRANSPORT]),
    ADA.request(c.ALLOCATE, c.UDP_TRANSPORT, c.lifetime(77), (c.EVEN_PORT, b"\0")),
    ADA.request(c.REFRESH, c.lifetime(0), fingerprint=True),
    ADA.request(c.CREATE_PERMISSION, c.peer("9.8.7.6", 5), c.peer("9.8.7.5", 6)),
    ADA.request(c.CHANNEL_BIND, c.peer("9.8.7.6", 5), c.number(0x4001)),
    c.message(c.SEND, c.INDICATION, [c.peer("9.8.7.6", 5), (c.DATA_ATTRIBUTE, b"data")]),
    c.message(c.BINDING, c.ERROR, [(c.ERROR_CODE, b"\0\0\4\1\xff\xfe")]),
    c.message(c.BINDING, c.REQUEST, [(0x8029, b"short"), (0x0024, b"x")]),
    c.message(c.BINDING, c.REQUEST, [(c.USERNAME, b"\xff\xff\xff"), (c.REALM, b"\x80")]),
    c.channel_data(0x4001, b"some data"),
]


@st.composite
def mutated(draw):
    """Overwrite, cut, repeat and insert bytes of a real message."""
    data = bytearray(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        change = draw(st.sampled_from(["overwrite", "cut", "insert", "length", "drop"]))
        some = draw(st.binary(min_size=1, max_size=4))
        if change == "overwrite":
            data[at : at + len(some)] = some
        elif change == "cut":
            del data[at:]
        elif change == "insert":
            data[at:at] = some
        elif change == "length":
            data[2:4] = max(len(data) - 20, 0).to_bytes(2, "big")
        else:
            del data[at : at + 4]
    return bytes(data)


ANYTHING = st.one_of(mutated(), st.binary(max_size=64), st.sampled_from(CORPUS))
