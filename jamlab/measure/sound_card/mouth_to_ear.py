"""Latency from mouth to ear: the sum of the mesh's and the sound cards' latency.

Theory
------
All frames are counted at the card's callback. A sample that the callback returns as frame *i* of
the playback comes back, through a wire from output to input, as frame *i + R* of the capture: *R*
is the card's round trip, input and output together, as `jamlab.measure.sound_card.loopback`
measures it. For a virtual card with blocks of *B* it is ``periods · B`` by construction
(`jamlab.audio.card`): one block captured, the others played.

The mesh's one-way latency begins at a virtual card's microphone and ends at a virtual card's
loudspeaker, so it includes a virtual card's input and output, together ``periods · B``. With real
cards in their place::

    mouth to ear = mesh - periods·B + R + slack·B

where the last term is what `jamlab.audio.device` adds for the way between the card's thread and the
event loop. A path goes through one participant's input and another's output. With one card
measured, both participants are assumed to have that card.

*R* depends on the block size, so only a loopback measured at the run's own block size is added. A
card that was not measured has no figure, and is not counted as 0.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jamlab.audio.card import VirtualCard
from jamlab.audio.device import DeviceCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.latency.verdicts import paths_table
from jamlab.measure.record import RecordError
from jamlab.measure.sound_card.record import CardRecord
from jamlab.measure.statistics import CONFIDENCE, Estimate

NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class CardPart:
    """The terms that real cards add to a mesh's latency at one block size, in milliseconds."""

    round_trip: Estimate
    """The card's loopback."""
    counted_twice: float
    """Blocks that are both in the loopback and in the mesh's latency."""
    bridge: float
    """The way from the card's thread to the event loop and back."""

    @property
    def added(self) -> Estimate:
        """The sum to add to the mesh's latency; below 0 for a card faster than a virtual one."""
        return _shifted(self.round_trip, self.bridge - self.counted_twice)


def check_block(card: CardRecord, block_frames: int) -> None:
    """Check that a card was measured at a run's block size; raise `RecordError` if it was not."""
    part = card_part(card, block_frames)
    if isinstance(part, str):
        raise RecordError(
            f"the card {card.name} was {part}: measure it with jamlab latency --device "
            f"--block-frames {block_frames}, verify with the --block-frames it was measured at, or "
            "leave --card out"
        )


def card_part(card: CardRecord | None, block_frames: int) -> CardPart | str:
    """Return the cards' terms, or in words why they are not known.

    Both participants are assumed to have the card, which is None when none was measured.
    """
    if card is None:
        return NOT_MEASURED
    round_trip = card.round_trip_frames(block_frames)
    if round_trip is None:
        return card.fault(block_frames)
    virtual = VirtualCard(block_frames=block_frames).round_trip_frames
    bridge = DeviceCard(block_frames=block_frames).round_trip_frames - block_frames
    return CardPart(_scaled(round_trip, 1000 / SAMPLE_RATE), _ms(virtual), _ms(bridge))


def mouth_to_ear_table(record: LatencyRecord, card: CardRecord | None) -> pd.DataFrame:
    """Return the sum from mouth to ear, a row per term, for the path with the highest median.

    Columns: ``part`` (``mesh``, ``card``, ``counted twice``, ``bridge``, ``mouth to ear``), ``ms``,
    ``low`` and ``high`` of its 95 % interval, and ``reason``: in words, why a term is not known;
    its figures and those of the sum are then missing. Intervals are added end to end, which covers
    more than 95 %.
    """
    mesh = _slowest(record)
    part = card_part(card, record.provenance["parameters"]["block_frames"])
    if isinstance(part, str):
        rows = [_row("mesh", mesh), _row("card", None, part), _row("mouth to ear", None, part)]
        return pd.DataFrame(rows)
    return pd.DataFrame(
        [
            _row("mesh", mesh),
            _row("card", part.round_trip),
            _row("counted twice", _exactly(-part.counted_twice)),
            _row("bridge", _exactly(part.bridge)),
            _row("mouth to ear", _sum(mesh, part.added)),
        ]
    )


def mouth_to_ear_ms(record: LatencyRecord, card: CardRecord | None) -> Estimate | None:
    """Return the latency from mouth to ear, in milliseconds; None where it is not known."""
    part = card_part(card, record.provenance["parameters"]["block_frames"])
    if isinstance(part, str):
        return None
    return _sum(_slowest(record), part.added)


def _slowest(record: LatencyRecord) -> Estimate:
    paths = paths_table(record)
    paths = paths[paths["measurement"] == ONE_WAY]
    columns = ["median_ms", "median_ms_low", "median_ms_high"]
    medians = paths.dropna(subset=["median_ms"]).sort_values("median_ms")[columns].to_numpy()
    value, low, high = medians[-1] if len(medians) else (np.nan, np.nan, np.nan)
    return Estimate(float(value), float(low), float(high), CONFIDENCE)


def _row(part: str, estimate: Estimate | None, reason: str = "") -> dict[str, object]:
    known = estimate or Estimate(np.nan, np.nan, np.nan, CONFIDENCE)
    figures = {"ms": known.value, "low": known.low, "high": known.high}
    return {"part": part, **figures, "reason": reason}


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value, 1.0)


def _sum(first: Estimate, second: Estimate) -> Estimate:
    return Estimate(
        first.value + second.value,
        first.low + second.low,
        first.high + second.high,
        first.confidence,
    )


def _shifted(estimate: Estimate, by: float) -> Estimate:
    return Estimate(estimate.value + by, estimate.low + by, estimate.high + by, estimate.confidence)


def _scaled(estimate: Estimate, by: float) -> Estimate:
    return Estimate(estimate.value * by, estimate.low * by, estimate.high * by, estimate.confidence)


def _ms(frames: int) -> float:
    return frames / SAMPLE_RATE * 1000
