"""Model of a network that stalls at times: what real Wi-Fi does to packets, in a few figures.

Delays of real networks have a body and stalls. The body is the ordinary jitter, up to `STALL_S`
above the median: a table of quantiles, with a correlation from packet to packet (of normal scores).
In a stall nothing arrives, and at its end everything that was sent meanwhile. Stalls have a table
of quantiles of their lengths, too, and the intervals between their beginnings a gamma distribution
of a mean and a coefficient of variation: 1 for stalls at random, less for regular ones, as those of
a card that looks for other access points every ten seconds.

All this is about packets at even intervals: where a recording has none during a stall, as nothing
was sent or recorded, its replay has. The model has no losses. `fit` takes its figures from a trace,
and `StallModel.trace` generates a trace with them.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from jamlab.networks.model.trace import DelayTrace
from jamlab.resources import data_path

STALL_S = 0.020
"""Delay above the median from which on it is that of a stall."""
SHARES = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 1.0)
"""Shares to which the quantiles of a model belong."""
LASTS_S = 600.0
"""Length of a trace of a shipped model; it repeats."""
MODELS_FILE = "stall_models.toml"

_MOST_CORRELATION = 0.999
_LEAST_JITTER_S = 1e-6
_LEAST_INTERVALS = 5
_LEAST_IRREGULARITY = 0.05


@dataclass(frozen=True)
class StallModel:
    """Figures of the model.

    Parameters
    ----------
    name : str
        Name of the network.
    every_s : float
        Interval of the packets that it is about.
    jitter_s : tuple of float
        Quantiles of the ordinary delays at `SHARES`.
    correlation : float
        Correlation of an ordinary delay with that of the packet before, 0 to 1.
    stalls_per_minute : float
        Mean number of stalls; 0 for none.
    irregularity : float
        Coefficient of variation of the intervals between their beginnings.
    length_s : tuple of float
        Quantiles of their lengths at `SHARES`; empty without stalls.
    """

    name: str
    every_s: float
    jitter_s: tuple[float, ...]
    correlation: float
    stalls_per_minute: float
    irregularity: float
    length_s: tuple[float, ...]

    def trace(self, rng: np.random.Generator, lasts_s: float) -> DelayTrace:
        """Return a trace of packets at even intervals on such a network."""
        sent_s = np.arange(0.0, lasts_s, self.every_s)
        arrival_s = sent_s + self._ordinary_s(rng, len(sent_s))
        for begin_s, end_s in self._stalls(rng, lasts_s):
            first, last = np.searchsorted(sent_s, (begin_s, end_s))
            arrival_s[first:last] += end_s - sent_s[first:last]
        delay_s = np.maximum.accumulate(arrival_s) - sent_s
        return DelayTrace(self.name, sent_s, delay_s)

    def _ordinary_s(self, rng: np.random.Generator, packets: int) -> NDArray[np.float64]:
        """Return delays outside of stalls, by the quantiles of correlated normal scores."""
        fresh = rng.standard_normal(packets)
        keeps, adds = self.correlation, np.sqrt(1 - self.correlation**2)
        scores = np.empty(packets)
        score = fresh[0]
        for k, each in enumerate(fresh.tolist()):
            score = keeps * score + adds * each
            scores[k] = score
        return np.interp(special.ndtr(scores), SHARES, self.jitter_s)

    def _stalls(self, rng: np.random.Generator, lasts_s: float) -> Iterable[tuple[float, float]]:
        """Return when stalls begin and end, in order; one that begins in another prolongs it."""
        if not self.stalls_per_minute:
            return []
        mean_s = 60 / self.stalls_per_minute
        shape = 1 / self.irregularity**2
        expected = lasts_s / mean_s
        several = int(expected + 10 * np.sqrt(expected * max(1, self.irregularity**2)) + 10)
        begin_s = np.cumsum(rng.gamma(shape, mean_s / shape, several))
        begin_s = begin_s[begin_s < lasts_s]
        # One from each of as many equal parts of the distribution: even a short trace has its tail.
        parts = rng.permutation(len(begin_s)) + rng.random(len(begin_s))
        shares = parts / max(1, len(begin_s))
        length_s = np.exp(np.interp(shares, SHARES, np.log(self.length_s)))
        return zip(begin_s.tolist(), (begin_s + length_s).tolist(), strict=True)


def stalls_of(trace: DelayTrace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return when the stalls of a trace begin, and their lengths: their longest delays.

    A stall's delay counts from the median, which is that of the ordinary packets.
    """
    sent_s, delay_s = trace.sent_s[trace.received], trace.delay_s[trace.received]
    above_s = delay_s - np.median(delay_s)
    stalled = above_s > STALL_S
    borders = np.flatnonzero(np.diff(stalled.astype(int), prepend=0, append=0))
    begins, ends = borders[::2], borders[1::2]
    lengths = [above_s[a:b].max() for a, b in zip(begins, ends, strict=True)]
    return sent_s[begins], np.array(lengths)


def fit(trace: DelayTrace) -> StallModel:
    """Return the model with the figures of a trace, replayed at its mean interval."""
    every_s = trace.duration_s / len(trace.sent_s)
    trace = trace.evenly(every_s)
    delay_s = trace.delay_s[trace.received]
    ordinary_s = delay_s[delay_s - np.median(delay_s) <= STALL_S]
    begin_s, length_s = stalls_of(trace)
    return StallModel(
        trace.name,
        every_s,
        _quantiles(ordinary_s - delay_s.min()),
        _correlation(ordinary_s),
        60 * len(begin_s) / trace.duration_s,
        _irregularity(begin_s),
        _quantiles(length_s + every_s / 2) if len(length_s) else (),
    )


def _quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(each) for each in np.quantile(values, SHARES))


def _correlation(ordinary_s: NDArray[np.float64]) -> float:
    """Return the correlation of the normal scores of successive delays, 0 where there is none."""
    if np.ptp(ordinary_s) < _LEAST_JITTER_S:
        return 0.0
    _, place, times = np.unique(ordinary_s, return_inverse=True, return_counts=True)
    scores = special.ndtri((np.cumsum(times) - times / 2)[place] / len(ordinary_s))
    found = float(np.corrcoef(scores[1:], scores[:-1])[0, 1])
    return min(max(found, 0.0), _MOST_CORRELATION)


def _irregularity(begin_s: NDArray[np.float64]) -> float:
    """Return the coefficient of variation of intervals, 1 where too few are known."""
    between_s = np.diff(begin_s)
    if len(between_s) < _LEAST_INTERVALS:
        return 1.0
    return max(float(np.std(between_s) / np.mean(between_s)), _LEAST_IRREGULARITY)


@cache
def shipped_stalls(name: str) -> DelayTrace:
    """Return a trace of a model that ships with jamlab, the same every time.

    Examples
    --------
    >>> round(shipped_stalls("Wi-Fi").duration_s)
    600
    """
    return model_of(name, _tables()[name]).trace(np.random.default_rng(1), LASTS_S)


def shipped_models() -> tuple[str, ...]:
    """Return the names of the models that ship with jamlab."""
    return tuple(_tables())


@cache
def _tables() -> dict[str, dict[str, Any]]:
    return tomllib.loads(data_path(MODELS_FILE).read_text(encoding="utf-8"))


def model_of(name: str, table: Mapping[str, Any]) -> StallModel:
    """Return the model that `toml_of` wrote."""
    return StallModel(
        name,
        table["every_ms"] / 1000,
        tuple(each / 1000 for each in table["jitter_ms"]),
        table["correlation"],
        table["stalls_per_minute"],
        table["irregularity"],
        tuple(each / 1000 for each in table["length_ms"]),
    )


def toml_of(model: StallModel) -> str:
    """Return a model as a table of TOML, in milliseconds, as in ``data/stall_models.toml``."""
    jitter_ms, length_ms = (
        ", ".join(f"{each * 1000:.1f}" for each in quantiles)
        for quantiles in (model.jitter_s, model.length_s)
    )
    return "\n".join(
        (
            f'["{model.name}"]',
            f"every_ms = {model.every_s * 1000:.3f}",
            f"jitter_ms = [{jitter_ms}]",
            f"correlation = {model.correlation:.3f}",
            f"stalls_per_minute = {model.stalls_per_minute:.2f}",
            f"irregularity = {model.irregularity:.3f}",
            f"length_ms = [{length_ms}]",
        )
    )
