"""A comparison of playout buffers: every buffer plays the same packets, at several settings."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.bounds import LeastDelay, best_constant, best_per_second
from jamlab.measure.playout.constant import constant
from jamlab.measure.playout.jamulus import ERROR_BOUND, JamulusLike
from jamlab.measure.playout.neteq import QUANTILE, neteq_like
from jamlab.measure.playout.packets import LOST, PacketTimes
from jamlab.measure.playout.plan import PlayoutPlan
from jamlab.measure.playout.playback import NEVER, Playback
from jamlab.measure.playout.record import (
    BEST_CONSTANT,
    BEST_PER_SECOND,
    BEST_SPLICED,
    BOUND_COLUMNS,
    CONSTANT,
    JAMLAB,
    JAMULUS,
    NETEQ,
    PLAYBACKS,
    STOCK,
    STREAMS,
    PlayoutRecord,
)
from jamlab.measure.playout.replay import Estimator, replay
from jamlab.measure.playout.spliced import best_spliced
from jamlab.measure.playout.stock import stock_aiortc
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.media.playout.delay import DelayBounds, DelayController
from jamlab.networks.model.packet_trace import delays_of

EstimatorFor: TypeAlias = Callable[[float], Estimator]
"""Returns a new estimator of the delay for an accepted share of concealment."""
_Row: TypeAlias = tuple[Any, ...]

QUANTILES = (0.5, 0.8, 0.9, QUANTILE, 0.97, 0.98, 0.99, 0.995, 0.999)
"""Quantiles that the buffer like NetEq is tried with."""
ERROR_BOUNDS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, ERROR_BOUND, 0.0002, 0.0001, 0.00002)
"""Bounds of the error rate that the buffer like Jamulus' is tried with."""
_CONSTANTS = 40
_LEAST_SHARE = 1e-4


def estimator_for(accepted_share: float) -> Estimator:
    """Return jamlab's controller of the delay for an accepted share of concealment.

    Its largest delay is so long that the share decides, as it does in the buffers compared.
    """
    return DelayController(DelayBounds(accepted_share, _MOST_DELAY_S))


_MOST_DELAY_S = 0.3


def measure_playout(
    plan: PlayoutPlan,
    progress: Progress = lambda _share, _words: None,
    estimator: EstimatorFor = estimator_for,
) -> PlayoutRecord:
    """Play the packets of every trace by every buffer, and find the bounds of hindsight.

    Parameters
    ----------
    plan : PlayoutPlan
        Traces, accepted shares and stream.
    progress : callable, optional
        Called with the finished share and what is done now.
    estimator : callable, optional
        Makes the estimator of jamlab's buffer for an accepted share; see
        `jamlab.measure.playout.replay.Estimator`.

    Examples
    --------
    >>> from jamlab import PlayoutPlan, example_trace
    >>> record = measure_playout(PlayoutPlan((example_trace(30),), accept_percent=(1.0,)))
    >>> sorted(record.playbacks["buffer"].unique())
    ['Jamulus-like', 'NetEq-like', 'constant', 'jamlab', 'stock aiortc']
    """
    playbacks: list[_Row] = []
    bounds: list[_Row] = []
    streams = plan.packets()
    for number, packets in enumerate(streams):
        progress(number / len(streams), f"playing {packets.name}")
        for name, *setting, playback in _played(packets, plan.accepted_shares, estimator):
            playbacks.append((packets.name, name, *setting, *_figures(playback)))
        bounds += _bounds(packets, plan)
    return PlayoutRecord(
        pd.DataFrame(playbacks, columns=[*PLAYBACKS]).astype(PLAYBACKS),
        pd.DataFrame(bounds, columns=[*BOUND_COLUMNS]).astype(BOUND_COLUMNS),
        pd.DataFrame(map(_described, streams), columns=[*STREAMS]).astype(STREAMS),
        provenance(plan.to_dict(), notes=list(_notes(plan))),
    )


def _notes(plan: PlayoutPlan) -> Iterator[str]:
    """Yield what the readers of the traces have corrected or assumed."""
    for trace in map(delays_of, plan.traces):
        yield from (f"{trace.name}: {note}" for note in trace.notes)


def _played(
    packets: PacketTimes, accepted_shares: Sequence[float], estimator: EstimatorFor
) -> Iterator[tuple[str, str, float, bool, Playback]]:
    """Yield a buffer's name, its setting, the accepted share, and what it made of the packets."""
    for share in accepted_shares:
        yield JAMLAB, f"{100 * share:g} % accepted", share, True, replay(packets, estimator(share))
    for quantile in QUANTILES:
        own = quantile == QUANTILE
        yield NETEQ, f"quantile {quantile:g}", np.nan, own, neteq_like(packets, quantile)
    jamulus = JamulusLike(packets)
    for bound in ERROR_BOUNDS:
        yield JAMULUS, f"errors {bound:g}", np.nan, bound == ERROR_BOUND, jamulus.play(bound)
    yield STOCK, "", np.nan, True, stock_aiortc(packets)
    for delay in _constants(packets):
        words = f"{1000 * delay / SAMPLE_RATE:.1f} ms"
        yield CONSTANT, words, np.nan, False, constant(packets, delay)


def _constants(packets: PacketTimes) -> list[float]:
    """Return constant delays with shares of late packets from a half to none."""
    needs = np.sort(packets.needs_frames)
    needs = needs[np.isfinite(needs)]
    late = np.geomspace(_LEAST_SHARE, 0.5, _CONSTANTS) * len(needs)
    return sorted({float(needs[-1 - int(count)]) for count in (0.0, *late)})


def _figures(playback: Playback) -> tuple[float, float, float]:
    return 1000 * playback.mean_delay_s, playback.concealed_share, playback.worst_share


def _bounds(packets: PacketTimes, plan: PlayoutPlan) -> Iterator[_Row]:
    """Yield the rows of all bounds."""
    shares = plan.accepted_shares
    kinds = {
        BEST_CONSTANT: [best_constant(packets, share) for share in shares],
        BEST_PER_SECOND: [best_per_second(packets, share) for share in shares],
        BEST_SPLICED: best_spliced(packets, shares) if plan.spliced else [],
    }
    for kind, found in kinds.items():
        for share, least in zip(shares, found, strict=False):
            yield (packets.name, kind, share, *_ends(least))


def _ends(least: LeastDelay) -> tuple[float, float]:
    return 1000 * least.low_s, 1000 * least.high_s


def _described(packets: PacketTimes) -> _Row:
    lost = packets.playable_frames == LOST
    never_late = np.where(lost, NEVER, np.maximum(packets.playable_frames, 0))
    none = np.zeros(0, np.int64)
    losses = Playback(packets, never_late, none, none)
    duration_s = packets.count * packets.frame_frames / SAMPLE_RATE
    floor_ms = 1000 * packets.floor_frames / SAMPLE_RATE
    return packets.name, duration_s, packets.count, lost.mean(), losses.worst_share, floor_ms
