"""The seam between jamlab and aioice: the one module that knows aioice's insides.

Three names of aioice's `Connection` are private: `_nominated`, the candidate pairs that ICE
selected; `_check_list`, all pairs; and `_transport_policy`, whether only relays are wanted. aioice
has no public way to ask for them. So its minor version is pinned in pyproject.toml, and
`tests/media/test_ice_connection.py` fails loudly when one of the names moves.

aiortc indexes the first byte of every datagram, whoever sent it, and copies it into 1500 bytes: an
empty one, or one that is too long, ends the connection. `guard_datagrams` drops what neither DTLS
nor SRTP could be before aiortc reads it.
"""

from typing import Any

from aioice import Candidate, Connection, TransportPolicy

_SELECTED, _CHECK_LIST, _POLICY = "_nominated", "_check_list", "_transport_policy"
_DATA_RECEIVED = "data_received"
_COMPONENT = 1  # RTP and RTCP share it (RFC 5761)

_MOST_BYTES = 1500  # what aiortc reads of a datagram; libsrtp's buffer is as long
_DTLS_HEADER_BYTES = 13  # RFC 6347 §4.1; those of RFC 9147 §4 have two and 16 of ciphertext
_RTP_HEADER_BYTES = 12  # RFC 3550 §5.1
_RTCP_HEADER_BYTES = 8  # RFC 3550 §6.4.2: with the SSRC, the shortest that is sent by itself


def selected_pair(connection: Connection) -> tuple[Candidate, Candidate] | None:
    """Return the local and the remote candidate an ICE connection selected; None while it has not.

    RFC 8445 §8.1 calls the pair selected once ICE concludes.
    """
    pair = _inside(connection, _SELECTED).get(_COMPONENT)
    return None if pair is None else (pair.local_candidate, pair.remote_candidate)


def pair_count(connection: Connection) -> int:
    """Return how many candidate pairs an ICE connection has in its checklist (RFC 8445 §6.1.2)."""
    return len(_inside(connection, _CHECK_LIST))


def wants_relays_only(connection: Connection) -> bool:
    """Return whether an ICE connection gathers relayed candidates only (RFC 8829 §4.1.1)."""
    return _inside(connection, _POLICY) is TransportPolicy.RELAY


def is_dtls_or_srtp(datagram: bytes) -> bool:
    """Return whether a datagram that is no STUN message may be DTLS, RTP or RTCP (RFC 7983 §7)."""
    if not 2 <= len(datagram) <= _MOST_BYTES:
        return False
    if 20 <= datagram[0] <= 63:
        return len(datagram) >= _DTLS_HEADER_BYTES
    if 128 <= datagram[0] <= 191:
        rtcp = 192 <= datagram[1] <= 223  # RFC 5761 §4
        return len(datagram) >= (_RTCP_HEADER_BYTES if rtcp else _RTP_HEADER_BYTES)
    return False


def guard_datagrams(connection: Connection) -> None:
    """Have an ICE connection hand on no data that neither DTLS nor SRTP can be.

    Anybody can send datagrams to an open port, and aiortc closes the connection when one of them
    is empty, or longer than it reads.
    """
    receive = _inside(connection, _DATA_RECEIVED)

    def receive_some(data: bytes, component: int) -> None:
        if is_dtls_or_srtp(data):
            receive(data, component)

    setattr(connection, _DATA_RECEIVED, receive_some)


def _inside(connection: Connection, name: str) -> Any:
    """Return an attribute that aioice's `Connection` has in the pinned version.

    Raises
    ------
    RuntimeError
        When this one has not.
    """
    try:
        return getattr(connection, name)
    except AttributeError:
        raise RuntimeError(
            f"this aioice's Connection has no {name}, which 0.13's has: pip install "
            "'aioice>=0.13,<0.14'"
        ) from None
