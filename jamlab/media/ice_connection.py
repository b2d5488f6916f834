"""Adapter to aioice's `Connection`; the only module that uses aioice's private names.

Three names of `Connection` are private: `_nominated`, the selected candidate pairs; `_check_list`,
all pairs; and `_transport_policy`, whether only relayed candidates are gathered. aioice has no
public access to them. So its minor version is pinned in pyproject.toml, and
`tests/media/test_ice_connection.py` fails when one of the names moves.

aiortc reads the first byte of every datagram, from any sender, and copies the datagram into 1500
bytes: one that is empty or too long ends the connection. `guard_datagrams` drops datagrams that are
neither DTLS nor SRTP before aiortc reads them.
"""

from typing import Any

from aioice import Candidate, Connection, TransportPolicy

_SELECTED, _CHECK_LIST, _POLICY = "_nominated", "_check_list", "_transport_policy"
_DATA_RECEIVED = "data_received"
_COMPONENT = 1  # RTP and RTCP share it (RFC 5761)

_MOST_BYTES = 1500  # longest datagram that aiortc reads; also the size of libsrtp's buffer
_DTLS_HEADER_BYTES = 13  # RFC 6347 §4.1; RFC 9147 §4: 2 bytes of header and 16 of ciphertext
_RTP_HEADER_BYTES = 12  # RFC 3550 §5.1
_RTCP_HEADER_BYTES = 8  # RFC 3550 §6.4.2: with the SSRC, the shortest that is sent by itself


def selected_pair(connection: Connection) -> tuple[Candidate, Candidate] | None:
    """Return the selected pair of an ICE connection, local and remote; None before selection.

    RFC 8445 §8.1 calls the pair selected once ICE concludes.
    """
    pair = _inside(connection, _SELECTED).get(_COMPONENT)
    return None if pair is None else (pair.local_candidate, pair.remote_candidate)


def pair_count(connection: Connection) -> int:
    """Return the number of candidate pairs in a connection's checklist (RFC 8445 §6.1.2)."""
    return len(_inside(connection, _CHECK_LIST))


def wants_relays_only(connection: Connection) -> bool:
    """Return whether an ICE connection gathers relayed candidates only (RFC 8829 §4.1.1)."""
    return _inside(connection, _POLICY) is TransportPolicy.RELAY


def is_dtls_or_srtp(datagram: bytes) -> bool:
    """Return whether a non-STUN datagram may be DTLS, RTP or RTCP (RFC 7983 §7)."""
    if not 2 <= len(datagram) <= _MOST_BYTES:
        return False
    if 20 <= datagram[0] <= 63:
        return len(datagram) >= _DTLS_HEADER_BYTES
    if 128 <= datagram[0] <= 191:
        rtcp = 192 <= datagram[1] <= 223  # RFC 5761 §4
        return len(datagram) >= (_RTCP_HEADER_BYTES if rtcp else _RTP_HEADER_BYTES)
    return False


def guard_datagrams(connection: Connection) -> None:
    """Make an ICE connection drop data that is neither DTLS nor SRTP."""
    receive = _inside(connection, _DATA_RECEIVED)

    def receive_some(data: bytes, component: int) -> None:
        if is_dtls_or_srtp(data):
            receive(data, component)

    setattr(connection, _DATA_RECEIVED, receive_some)


def _inside(connection: Connection, name: str) -> Any:
    """Return a private attribute of a connection; raises `RuntimeError` if aioice has moved it."""
    try:
        return getattr(connection, name)
    except AttributeError:
        raise RuntimeError(
            f"Connection of the installed aioice has no {name}, which version 0.13 has: run "
            "pip install 'aioice>=0.13,<0.14'"
        ) from None
