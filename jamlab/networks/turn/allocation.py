"""What a TURN server holds for one client: an allocation, its permissions and its channels.

Three things expire, each on its own (RFC 8656, sections 3.2, 9 and 12): the allocation after the
lifetime agreed, a permission 300 s after it was last installed, a channel 600 s after it was last
bound. Data refreshes none of them. Nothing here runs by itself: an entry that has expired counts as
absent when it is looked at, and goes when another of its kind is added.
"""

from jamlab.networks.model.packet import Address
from jamlab.networks.turn.credentials import Identity

PERMISSION_LIFETIME_S = 300.0
"""Lifetime of a permission (RFC 8656, section 9)."""

CHANNEL_LIFETIME_S = 600.0
"""Lifetime of a channel binding (RFC 8656, section 12)."""

DEFAULT_LIFETIME_S = 600
"""Lifetime of an allocation when the client asks for none, or for less (RFC 8656, section 7.2)."""

MAX_LIFETIME_S = 3600
"""Longest lifetime of an allocation a client can get (RFC 8656, section 7.2)."""

CHANNEL_NUMBER_MIN, CHANNEL_NUMBER_MAX = 0x4000, 0x7FFF
"""First and last channel number a server takes: those of RFC 5766, section 11.

RFC 8656, section 12, lets clients use no more than 0x4fff, for the sake of those that share a port
with DTLS. A server has no such port, and coturn's clients still use them all.
"""


def lifetime_s(requested_s: int | None) -> int:
    """Return the lifetime a client gets for the one it asked for (RFC 8656, section 7.2)."""
    return max(DEFAULT_LIFETIME_S, min(requested_s or 0, MAX_LIFETIME_S))


class Allocation:
    """A relayed transport address and who may use it.

    Parameters
    ----------
    identity : Identity
        Who created it, and alone may change it.
    relayed : Address
        The relayed transport address.
    transaction_id : bytes
        Of the request that created it.
    expires_s : float
        When it expires, on the clock all times here are read from.
    """

    def __init__(
        self, identity: Identity, relayed: Address, transaction_id: bytes, expires_s: float
    ) -> None:
        self.identity = identity
        self.relayed = relayed
        self.transaction_id = transaction_id
        self.expires_s = expires_s
        self.response = b""
        """What answered the request that created it, and answers it again when it comes again."""
        self._permissions: dict[str, float] = {}
        self._peers: dict[int, Address] = {}
        self._channels: dict[Address, tuple[int, float]] = {}

    def permit(self, host: str, now_s: float) -> None:
        """Install a permission for a host, or refresh it."""
        self._permissions = {h: t for h, t in self._permissions.items() if t > now_s}
        self._permissions[host] = now_s + PERMISSION_LIFETIME_S

    def permits(self, host: str, now_s: float) -> bool:
        """Tell whether data may pass to and from a host."""
        return self._permissions.get(host, now_s) > now_s

    def bind(self, channel: int, peer: Address, now_s: float) -> None:
        """Bind a channel to a peer, or refresh that, and the permission with it.

        Raises
        ------
        ValueError
            The number is none of a channel, or number or peer are bound otherwise.
        """
        if not CHANNEL_NUMBER_MIN <= channel <= CHANNEL_NUMBER_MAX:
            raise ValueError(f"a channel number is within 0x4000 and 0x7fff, not 0x{channel:04x}")
        self._forget_expired_channels(now_s)
        if self._peers.get(channel, peer) != peer:
            raise ValueError(f"channel 0x{channel:04x} is bound to another peer")
        if self._channels.get(peer, (channel, now_s))[0] != channel:
            raise ValueError(f"{peer[0]}:{peer[1]} is bound to another channel")
        self._peers[channel] = peer
        self._channels[peer] = channel, now_s + CHANNEL_LIFETIME_S
        self.permit(peer[0], now_s)

    def _forget_expired_channels(self, now_s: float) -> None:
        for peer, (channel, expires_s) in list(self._channels.items()):
            if expires_s <= now_s:
                del self._channels[peer], self._peers[channel]

    def peer(self, channel: int, now_s: float) -> Address | None:
        """Return the peer a channel is bound to."""
        peer = self._peers.get(channel)
        return peer if peer is not None and self._channels[peer][1] > now_s else None

    def channel(self, peer: Address, now_s: float) -> int | None:
        """Return the channel a peer is bound to."""
        channel, expires_s = self._channels.get(peer, (None, now_s))
        return channel if expires_s > now_s else None
