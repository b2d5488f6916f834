"""Work of known size, so that a bar means the same on a slow machine as on a fast or a busy one.

A time or a rate tells as much of the machine, and of what else it does, as of the code. So each is
divided by what known work took in the same run, before it and after it: the same done by unmodified
aioice or aiortc on real sockets where there is such a thing, and `work` where there is none. The
figures that were divided are printed beside the ratios, without a bar.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

REPEATED = 5


def work():
    """Do one unit of work: half of its time in the interpreter, half in numpy, as a jam spends it.

    The interpreter parses and sorts; numpy has blocks of 64 stereo frames, where calls cost more
    than numbers, and now and then a long spectrum.
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
    """Return what a unit of work takes here and now in seconds, the median of several."""
    return statistics.median(_timed(clock) for _ in range(REPEATED))


def _timed(clock):
    began_s = clock()
    work()
    return clock() - began_s


@dataclass
class Compared:
    """What was measured in several runs, and what known work took around each of them."""

    measured: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    """One more than was measured: before the first, between any two, after the last."""

    @property
    def ratios(self) -> list[float]:
        """Each measured figure over the mean of the known ones before it and after it."""
        around = zip(self.known, self.known[1:], strict=False)
        return [
            one / statistics.mean(both) for one, both in zip(self.measured, around, strict=True)
        ]


def alternated(measure: Callable[[], float], known: Callable[[], float], runs: int) -> Compared:
    """Measure several times, with known work before, between and after."""
    compared = Compared(known=[known()])
    for _ in range(runs):
        compared.measured.append(measure())
        compared.known.append(known())
    return compared


def spread(values):
    """Return the largest over the smallest."""
    return max(values) / min(values)
