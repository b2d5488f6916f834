"""Whether a peer shows the same DTLS certificate as its name did before.

A fingerprint is all that a peer is known by (RFC 8122): names are what a signalling service says
they are. A participant of this package uses one certificate for all its connections, so another
fingerprint under its name is another process: the same person come again, or somebody else. A
browser makes a certificate for each connection unless it is told otherwise (W3C WebRTC §4.9), so
that another one of those says nothing.
"""

from collections import OrderedDict
from typing import NamedTuple

_MOST_NAMES = 256


class Identity(NamedTuple):
    """By what a peer is known."""

    fingerprint: str
    """Of the certificate its connection was made with."""
    lasts: bool
    """Whether it says to be a participant of this package, who keeps its certificate."""


class KnownPeers:
    """The latest identity of each name that was heard; of many names, those heard last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def note(self, peer_id: str, identity: Identity) -> bool:
        """Take note of who is heard; returns whether somebody of another key was before."""
        known = self._known.pop(peer_id, identity)
        self._known[peer_id] = identity
        if len(self._known) > _MOST_NAMES:
            self._known.popitem(last=False)
        return known.lasts and known.fingerprint != identity.fingerprint
