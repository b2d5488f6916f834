"""The selected candidate pair of a connection over time, and its route."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jamlab.measure.dump.layouts.trace import PeerTrace, Series

DIRECT, RELAYED = "direct", "relayed"
"""Routes of a pair: relayed where either of its candidates is a relay's."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate pair, from the time on at which it is seen selected."""

    at_s: float
    name: str
    local: str
    """Type of its local candidate, "" when unknown, as the next."""
    remote: str
    protocol: str
    """Protocol of the local candidate; for a relay's with that to the TURN server."""

    @property
    def route(self) -> str:
        """`DIRECT`, `RELAYED`, or "" when neither end's type settles it."""
        if "relay" in (self.local, self.remote):
            return RELAYED
        return DIRECT if self.local and self.remote else ""

    @property
    def words(self) -> str:
        """The pair in words, e.g. "relay → prflx, udp"."""
        return f"{self.local or 'unknown'} → {self.remote or 'unknown'}, {self.protocol}"


def selected_pairs(peer: PeerTrace) -> list[Pair]:
    """Return the pairs that were selected, each when it is first seen so."""
    found: list[Pair] = []
    for at_s, name in _selected(peer):
        if not found or found[-1].name != name:
            found.append(_pair(peer, at_s, name))
    return found


def round_trip(peer: PeerTrace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times and round-trip times of the pair that was selected at each, in seconds."""
    spans = selected_pairs(peer)
    times, values = [np.empty(0)], [np.empty(0)]
    for number, pair in enumerate(spans, start=1):
        end_s = spans[number].at_s if number < len(spans) else math.inf
        series = peer.series.get(pair.name)
        if series is None or series.kind != "candidate-pair":
            continue
        within = (series.at_s >= pair.at_s) & (series.at_s < end_s)
        times.append(series.at_s[within])
        values.append(series.numbers("currentRoundTripTime")[within])
    return np.concatenate(times), np.concatenate(values)


def _selected(peer: PeerTrace) -> list[tuple[float, str]]:
    """Return the times at which a pair is seen selected, and its id.

    The transport names it. Where no transport does, it is the pair that says so (Firefox), or the
    nominated one that succeeded.
    """
    named = [
        (float(at_s), name)
        for transport in peer.of("transport").values()
        for at_s, name in zip(
            transport.at_s, transport.texts("selectedCandidatePairId"), strict=True
        )
        if name
    ]
    return sorted(named) or sorted(_says_so(peer))


def _says_so(peer: PeerTrace) -> Iterator[tuple[float, str]]:
    for name, pair in peer.of("candidate-pair").items():
        columns = (
            pair.columns.get(key, [None] * len(pair.at_s))
            for key in ("selected", "nominated", "state")
        )
        for at_s, selected, nominated, state in zip(pair.at_s, *columns, strict=True):
            if selected is True or (nominated is True and state == "succeeded"):
                yield float(at_s), name


def _pair(peer: PeerTrace, at_s: float, name: str) -> Pair:
    pair = peer.series.get(name)
    if pair is None:
        return Pair(at_s, name, "", "", "")
    local, remote = (peer.series.get(pair.last(f"{end}CandidateId")) for end in ("local", "remote"))
    protocol = _last(local, "protocol")
    if relay := _last(local, "relayProtocol"):
        protocol = f"{protocol} over {relay} to the relay"
    return Pair(at_s, name, _last(local, "candidateType"), _last(remote, "candidateType"), protocol)


def _last(series: Series | None, name: str) -> str:
    return series.last(name) if series else ""
