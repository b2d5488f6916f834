"""The common form of both layouts of dumps: connections with events and statistics over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jamlab.measure.dump.layouts.values import number, text

WANTED = {
    "inbound-rtp": (
        "kind mediaType ssrc codecId playoutId transportId remoteId jitter packetsLost "
        "packetsReceived bytesReceived jitterBufferDelay jitterBufferTargetDelay "
        "jitterBufferMinimumDelay jitterBufferEmittedCount totalProcessingDelay "
        "totalSamplesReceived concealedSamples silentConcealedSamples "
        "insertedSamplesForDeceleration removedSamplesForAcceleration audioLevel"
    ),
    "outbound-rtp": (
        "kind mediaType ssrc codecId mediaSourceId transportId remoteId packetsSent bytesSent"
    ),
    "remote-inbound-rtp": "localId ssrc jitter packetsLost roundTripTime",
    "remote-outbound-rtp": "localId ssrc roundTripTime",
    "media-playout": "totalPlayoutDelay totalSamplesCount",
    "media-source": "audioLevel",
    "codec": "mimeType sdpFmtpLine",
    "transport": "selectedCandidatePairId dtlsState iceState",
    "candidate-pair": (
        "localCandidateId remoteCandidateId state nominated selected currentRoundTripTime "
        "transportId"
    ),
    "local-candidate": "candidateType protocol relayProtocol",
    "remote-candidate": "candidateType protocol",
}
"""The statistics that are kept: names of properties, by the type of the statistics (W3C)."""
_NAMES = {kind: frozenset(names.split()) for kind, names in WANTED.items()}


def wanted(kind: str) -> frozenset[str]:
    """Return the names of the properties that are kept of a type of statistics."""
    return _NAMES.get(kind, frozenset())


@dataclass(frozen=True, slots=True)
class Event:
    """A call of the API, or a change of state."""

    at_s: float
    """Unix time; NaN when unknown."""
    kind: str
    value: object
    """As in the dump, decoded where it is JSON."""


@dataclass(frozen=True, slots=True)
class Series:
    """The values of statistics with one id, over time."""

    kind: str
    """Type of the statistics, e.g. "inbound-rtp"."""
    at_s: NDArray[np.float64]
    """Unix times, in order."""
    columns: Mapping[str, Sequence[object]]
    """The values of each property at these times; None where there is none."""

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a property's values; NaN where there is no number."""
        column = self.columns.get(name)
        if column is None:
            return np.full(len(self.at_s), np.nan)
        return np.array([number(value) for value in column], np.float64)

    def texts(self, name: str) -> list[str]:
        """Return a property's values as text; "" where there is none."""
        column = self.columns.get(name)
        return [""] * len(self.at_s) if column is None else [text(value) for value in column]

    def last(self, name: str) -> str:
        """Return the last text of a property; "" when it has none."""
        return next(filter(None, reversed(self.texts(name))), "")


@dataclass(frozen=True, slots=True)
class PeerTrace:
    """The trace of one peer connection."""

    name: str
    """Its id in the dump; "" for events of no connection."""
    url: str = ""
    configuration: str = ""
    events: list[Event] = field(default_factory=list)
    series: dict[str, Series] = field(default_factory=dict)

    def of(self, kind: str) -> dict[str, Series]:
        """Return the statistics of one type, by their ids."""
        return {name: each for name, each in self.series.items() if each.kind == kind}


@dataclass(frozen=True, slots=True)
class Trace:
    """A whole dump."""

    layout: str
    browser: str
    peers: list[PeerTrace]
    resolution_s: float
    """Resolution of the events' times."""
    absolute: bool = True
    """Whether the times are Unix times; otherwise only their differences mean something."""
    notes: list[str] = field(default_factory=list)


def in_order(kind: str, at_s: ArrayLike, columns: Mapping[str, Sequence[object]]) -> Series:
    """Return a series in order of time, without the samples whose time is unknown."""
    times = np.asarray(at_s, np.float64)
    known = np.flatnonzero(np.isfinite(times))
    order = known[np.argsort(times[known], kind="stable")]
    if len(order) == len(times) and (np.diff(order) == 1).all():
        return Series(kind, times, columns)
    sorted_ = {name: [column[n] for n in order] for name, column in columns.items()}
    return Series(kind, times[order], sorted_)
