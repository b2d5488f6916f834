"""Recognition of peers by the fingerprints of their DTLS certificates.

A fingerprint is the only proof of a peer's identity (RFC 8122): names are claims of the signalling
service. A participant of this package uses one certificate for all its connections, so a different
fingerprint under its name means another process: the same person after a restart, or another
person. A browser by default makes a certificate for each connection (W3C WebRTC §4.9), so a
different fingerprint of a browser means nothing.
"""

from collections import OrderedDict
from typing import NamedTuple

_MOST_NAMES = 256


class Identity(NamedTuple):
    """Identity of a peer."""

    fingerprint: str
    lasts: bool
    """Whether the peer claims to be a participant of this package, which keeps its certificate."""


class KnownPeers:
    """The latest identity under each name; beyond a limit, of the names heard last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def note(self, peer_id: str, identity: Identity) -> bool:
        """Note the identity of a peer; return whether the name had another key before."""
        known = self._known.pop(peer_id, identity)
        self._known[peer_id] = identity
        if len(self._known) > _MOST_NAMES:
            self._known.popitem(last=False)
        return known.lasts and known.fingerprint != identity.fingerprint
