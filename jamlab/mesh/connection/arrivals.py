"""Candidates of peers, on their way to the connection they belong to.

A candidate that states its username fragment belongs to the connection whose remote description has
the same (RFC 8839 §5.4); it is kept until there is one. Others belong to the newest connection.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from jamlab.mesh.connection.candidates import EarlyCandidates, candidates_in, fragment_of
from jamlab.mesh.connection.description import read_candidate
from jamlab.mesh.connection.errors import MalformedCandidateError, MeshError
from jamlab.mesh.connection.peer import PeerConnection
from jamlab.mesh.connection.peers import Peers


class Arrivals:
    """Takes the candidates of peers to connections."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._early = EarlyCandidates()

    async def add(self, peer_id: str, signal: Mapping[str, Any]) -> None:
        """Add the candidates of a signal; raises the first error, after all have been read."""
        errors: list[MeshError] = []
        for candidate in candidates_in(signal):
            try:
                await self._add(peer_id, candidate)
            except MeshError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    async def add_early(self, peer: PeerConnection) -> None:
        """Add the candidates that came before the description of the peer."""
        for candidate in self._early.take(peer.peer_id, peer.remote_fragment):
            with contextlib.suppress(MalformedCandidateError):
                await self._add(peer.peer_id, candidate)

    async def _add(self, peer_id: str, candidate: Mapping[str, Any]) -> None:
        fragment = fragment_of(candidate)
        connection = self._peers.described_by(peer_id, fragment)
        if fragment is not None and connection is None:
            self._early.keep(peer_id, candidate)
            return
        connection = connection or self._peers.newest(peer_id)
        read = read_candidate(candidate, peer_id)
        if read is not None:
            await connection.add_candidate(read)
