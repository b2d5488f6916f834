"""Detection of who hears whom, by a tone of its own for each participant."""

from collections.abc import Mapping, Sequence, Set

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import SAMPLE_RATE, Block
from jamlab.measure.acceptance.sines import fit_sines, windows

_PIECE_FRAMES = SAMPLE_RATE // 20


def tone_levels(stretch: Block, frequencies_hz: Sequence[float]) -> NDArray[np.float64]:
    """Return the levels of tones in a stretch of a recording, in dBFS, shape (channels, tones).

    They are means of the power over pieces of 50 ms, which are fitted separately: where the delay
    changes by half a period, the two halves of a tone would cancel each other in a single fit.
    """
    pieces = windows(stretch, _PIECE_FRAMES)
    levels_dbfs = [
        [fit_sines(channel, frequencies_hz).levels_dbfs for channel in piece.T] for piece in pieces
    ]
    power = np.mean(10 ** (np.asarray(levels_dbfs) / 10), axis=0)
    return np.asarray(10 * np.log10(power), dtype=np.float64)


def tones_heard(
    block: Block, tones_hz: Mapping[str, float], level_dbfs: float, frames: int
) -> list[set[str]]:
    """Return the participants whose tones are in both channels, for each stretch of a recording.

    A tone counts when it is at most 6 dB below `level_dbfs`, the level it was played at. A stretch
    of `frames` lasts 50 ms or more.
    """
    heard = []
    for stretch in windows(block, frames):
        quieter_dbfs = tone_levels(stretch, [*tones_hz.values()]).min(axis=0)
        there = quieter_dbfs > level_dbfs - 6
        heard.append({name for name, is_there in zip(tones_hz, there, strict=True) if is_there})
    return heard


def exactly_heard_share(
    block: Block,
    tones_hz: Mapping[str, float],
    level_dbfs: float,
    frames: int,
    expected: Set[str],
) -> float:
    """Return the share of a recording's stretches with exactly the expected participants' tones.

    Other parameters are those of `tones_heard`.
    """
    heard = tones_heard(block, tones_hz, level_dbfs, frames)
    return sum(found == expected for found in heard) / max(len(heard), 1)


def tones_over_time(
    block: Block, tones_hz: Mapping[str, float], step_frames: int
) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Return the level of each participant's tone at regular times, for a figure.

    It is that of the first 50 ms of each step, in the quieter channel. Times are in seconds since
    the recording began, levels in dBFS.
    """
    stretches = [stretch[:_PIECE_FRAMES] for stretch in windows(block, step_frames)]
    levels = np.array([tone_levels(each, [*tones_hz.values()]).min(axis=0) for each in stretches])
    levels = levels.reshape(len(stretches), len(tones_hz))
    times_s = np.arange(len(stretches)) * step_frames / SAMPLE_RATE
    return times_s, dict(zip(tones_hz, levels.T, strict=True))
