"""Reference work of known size, which makes bars independent of a machine's speed and load.

A time or a rate depends as much on the machine and its load as on the code. So each is divided by
the time of reference work in the same run, before it and after it: the same task with unmodified
aioice or aiortc on real sockets where that exists, otherwise `work`. The undivided figures are
printed next to the ratios, without a bar.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

REPEATED = 5


def work():
    """Do one unit of work, with half of its time in the interpreter and half in numpy, like a jam.

    The interpreter parses and sorts; numpy adds blocks of 64 stereo frames, where the calls cost
    more than the arithmetic, and computes some long spectra.
    """
    message = json.dumps([{"type": "candidate", "port": port} for port in range(40)])
    for turn in range(600):
        parsed = json.loads(message)
        found = {each["port"]: each for each in parsed}
        sorted(found, key=lambda port, turn=turn: (port * 7919 + turn) % 101)
        sum(len(str(port)) for port in found)
    blocks = np.random.default_rng(1).normal(0, 0.1, (64, 64, 2)).astype(np.float32)
    for _ in range(36):
        mixed = np.zeros((64, 2), dtype=np.float32)
        for block in blocks:
            mixed += 0.5 * block
            np.abs(mixed).max(axis=0)
        np.fft.rfft(blocks.reshape(-1))


def work_s(clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that a unit of work takes now, the median of several."""
    return statistics.median(_timed(clock) for _ in range(REPEATED))


def _timed(clock):
    began_s = clock()
    work()
    return clock() - began_s


@dataclass
class Compared:
    """Measured figures of several runs, and figures of known work around each of them."""

    measured: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    """One more than `measured`: before the first, between any two, after the last."""

    @property
    def ratios(self) -> list[float]:
        """Each measured figure over the mean of the known ones before it and after it."""
        around = zip(self.known, self.known[1:], strict=False)
        return [
            one / statistics.mean(both) for one, both in zip(self.measured, around, strict=True)
        ]


def alternated(measure: Callable[[], float], known: Callable[[], float], runs: int) -> Compared:
    """Measure several times, with known work before, between and after the measurements."""
    compared = Compared(known=[known()])
    for _ in range(runs):
        compared.measured.append(measure())
        compared.known.append(known())
    return compared


def spread(values):
    """Return the largest over the smallest."""
    return max(values) / min(values)
