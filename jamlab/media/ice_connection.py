"""Adapter to aioice's `Connection`; the only module that uses aioice's private names.

`_nominated` are the selected candidate pairs, `_check_list` all pairs, and `_transport_policy` says
whether only relayed candidates are gathered: aioice has no public access to them. `OpenConnection`
is a `Connection` whose candidates and checks a subclass directs. It also uses the lists of sockets
and of candidates, the checks received before `connect`, and the release and the client of a relay.
So aioice's minor version is pinned in pyproject.toml, and `tests/media/test_ice_connection.py`
fails when one of the names moves.

aiortc reads the first byte of every datagram, from any sender, and copies the datagram into 1500
bytes: one that is empty or too long ends the connection. So datagrams that are neither DTLS nor
SRTP (`is_dtls_or_srtp`) are dropped before aiortc reads them.
"""

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from typing import Any

from aioice import Candidate, Connection, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol

_SELECTED, _CHECK_LIST, _POLICY = "_nominated", "_check_list", "_transport_policy"
_RELEASE, _CLIENT = "_close", "_TurnTransport__inner_protocol"
_COMPONENT = 1  # RTP and RTCP share it (RFC 5761)

_MOST_BYTES = 1500  # longest datagram that aiortc reads; also the size of libsrtp's buffer
_DTLS_HEADER_BYTES = 13  # RFC 6347 §4.1; RFC 9147 §4: 2 bytes of header and 16 of ciphertext
_RTP_HEADER_BYTES = 12  # RFC 3550 §5.1
_RTCP_HEADER_BYTES = 8  # RFC 3550 §6.4.2: with the SSRC, the shortest that is sent by itself

RELEASE_S = 1.0
"""Time limit for the release of a TURN allocation, after which it is left to expire."""


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


def is_rtp(datagram: bytes) -> bool:
    """Return whether a datagram that may be DTLS, RTP or RTCP may be RTP (RFC 5761 §4)."""
    return datagram[0] >= 128 and not 192 <= datagram[1] <= 223


class OpenConnection(Connection):
    """An aioice connection of one component whose subclass gathers, checks and selects.

    aioice's part: credentials, incoming requests and their answers (RFC 8445 §7.3), roles, names of
    mDNS, remote candidates and their pairs.
    """

    @property
    def relays_only(self) -> bool:
        """Whether only relayed candidates may be used."""
        return wants_relays_only(self)

    @property
    def pairs(self) -> Sequence[CandidatePair]:
        """All candidate pairs, in order of their priority."""
        pairs: list[CandidatePair] = self._check_list
        return pairs

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return bool(self._closing)

    def adopt(self, protocol: StunProtocol, candidate: Candidate) -> None:
        """Add a local candidate; that of a new socket is paired with the remote candidates."""
        self._local_candidates.append(candidate)
        if protocol not in self._protocols:
            others, self._protocols = self._protocols, [protocol]  # those may have lost pairs
            for remote in self._remote_candidates:
                self._pair_remote_candidate(remote)
            self._protocols = [*others, protocol]
            self.sort_check_list()

    def discard(self, pair: CandidatePair) -> None:
        """Remove a pair."""
        self._check_list.remove(pair)

    def forget(self, protocol: StunProtocol) -> None:
        """Remove a socket with its candidates; its pairs are removed by the caller."""
        if protocol in self._protocols:
            self._protocols.remove(protocol)
        base = protocol.local_candidate
        here = base.host, base.port
        self._local_candidates = [
            each
            for each in self._local_candidates
            if each is not base
            and (each.type != "srflx" or (each.related_address, each.related_port) != here)
        ]

    def use(self, pair: CandidatePair) -> None:
        """Send data on a pair from now on."""
        self._nominated[_COMPONENT] = pair

    def take_early_checks(self) -> None:
        """Handle the requests that came before the peer's credentials, and later ones at once."""
        early, self._early_checks_done = [*self._early_checks], True
        self._early_checks.clear()
        for check in early:
            self.check_incoming(*check)

    async def close(self) -> None:
        """Close the connection; a TURN server that does not answer holds it up for `RELEASE_S`."""
        self._closing = True
        relays = [each for each in self._protocols if each.local_candidate.type == "relay"]
        await asyncio.gather(*(release(relay) for relay in relays))
        await super().close()


async def release(protocol: StunProtocol) -> None:
    """Close a socket; that of a relay is closed when its TURN allocation has been released."""
    if protocol.local_candidate.type == "relay":
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await _inside(protocol.transport, _RELEASE)()
    await protocol.close()


def relay_base(relay: StunProtocol) -> str:
    """Return the address of this machine from which a relay's TURN server is reached."""
    base: str = _inside(relay.transport, _CLIENT).transport.get_extra_info("sockname")[0]
    return base


def ignore_malformed(relay: StunProtocol) -> None:
    """Ignore malformed STUN of a relay's TURN server (RFC 8489 §6.3), which aioice raises."""
    client = _inside(relay.transport, _CLIENT)
    take = client.datagram_received

    def take_well_formed(data: bytes, source: tuple[str, int]) -> None:
        with contextlib.suppress(struct.error):
            take(data, source)

    client.datagram_received = take_well_formed


async def refresh_channels(relay: StunProtocol) -> None:
    """Bind the channels of a relay again, with their permissions (RFC 8656 §9, §12)."""
    client = _inside(relay.transport, _CLIENT)
    bindings = [(channel, peer) for peer, channel in client.peer_to_channel.items()]
    await asyncio.gather(*(client.channel_bind(*each) for each in bindings), return_exceptions=True)


def _inside(owner: object, name: str) -> Any:
    """Return a private attribute of aioice; raises `RuntimeError` if aioice has moved it."""
    try:
        return getattr(owner, name)
    except AttributeError:
        raise RuntimeError(
            f"{type(owner).__name__} of the installed aioice has no {name}, which version 0.13 "
            "has: run pip install 'aioice>=0.13,<0.14'"
        ) from None
