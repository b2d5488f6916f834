"""A TURN allocation: one client's relayed address, permissions and channels.

Each expires on its own (RFC 8656, sections 3.2, 9 and 12): the allocation after its lifetime, a
permission 300 s after its last installation, a channel 600 s after its last binding. Data refreshes
none of them. There are no timers here: an expired entry counts as absent when it is looked up, and
is removed when another entry of its kind is added.
"""

from jamlab.networks.model.packet import Address
from jamlab.networks.turn.credentials import Identity

PERMISSION_LIFETIME_S = 300.0
"""Lifetime of a permission (RFC 8656, section 9)."""

CHANNEL_LIFETIME_S = 600.0
"""Lifetime of a channel binding (RFC 8656, section 12)."""

DEFAULT_LIFETIME_S = 600
"""Shortest and default lifetime of an allocation (RFC 8656, section 7.2)."""

MAX_LIFETIME_S = 3600
"""Longest lifetime of an allocation (RFC 8656, section 7.2)."""

CHANNEL_NUMBER_MIN, CHANNEL_NUMBER_MAX = 0x4000, 0x7FFF
"""First and last channel number that a server accepts: the range of RFC 5766, section 11.

RFC 8656, section 12, limits clients to 0x4fff, as some demultiplex DTLS on the same port. A server
does not, and coturn's clients still use the larger range.
"""


def lifetime_s(requested_s: int | None) -> int:
    """Return the granted lifetime for a requested one (RFC 8656, section 7.2)."""
    return max(DEFAULT_LIFETIME_S, min(requested_s or 0, MAX_LIFETIME_S))


class Allocation:
    """A relayed transport address with its permissions and channels.

    Only the user that created it may change it. `transaction_id` is that of the Allocate request,
    and `expires_s` is on the clock of all ``now_s``.
    """

    def __init__(
        self, identity: Identity, relayed: Address, transaction_id: bytes, expires_s: float
    ) -> None:
        self.identity = identity
        self.relayed = relayed
        self.transaction_id = transaction_id
        self.expires_s = expires_s
        self.response = b""
        """Response to the Allocate request, sent again for its retransmissions."""
        self._permissions: dict[str, float] = {}
        self._peers: dict[int, Address] = {}
        self._channels: dict[Address, tuple[int, float]] = {}

    def permit(self, host: str, now_s: float) -> None:
        """Install a permission for a host, or refresh it."""
        self._permissions = {h: t for h, t in self._permissions.items() if t > now_s}
        self._permissions[host] = now_s + PERMISSION_LIFETIME_S

    def permits(self, host: str, now_s: float) -> bool:
        """Return whether data may pass to and from a host."""
        return self._permissions.get(host, now_s) > now_s

    def bind(self, channel: int, peer: Address, now_s: float) -> None:
        """Bind a channel to a peer, or refresh the binding; both refresh the permission, too.

        Raises ValueError if the channel number is out of range, or the channel or the peer has
        another binding.
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
        """Return the peer to which a channel is bound."""
        peer = self._peers.get(channel)
        return peer if peer is not None and self._channels[peer][1] > now_s else None

    def channel(self, peer: Address, now_s: float) -> int | None:
        """Return the channel to which a peer is bound."""
        channel, expires_s = self._channels.get(peer, (None, now_s))
        return channel if expires_s > now_s else None
