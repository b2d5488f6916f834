"""The sample rate at which a recording has clicks, where its header is wrong."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from samplerate import resample

from jamlab.audio.conversion.rate_converter import FILTER
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.recording.listening.search import Baseband, chains, hits_of, voices_heard
from jamlab.measure.recording.reader import AudioFile

RATES = (48_000, 44_100, 96_000, 88_200, 32_000, 24_000, 22_050, 16_000)
"""The rates that are tried."""

_EXCERPT_S = 5.0
_SEARCHED_S = 120.0


def true_rate(file: AudioFile) -> int | None:
    """Return the rate of `RATES`, other than the header's, at which a recording has clicks.

    It is sought in the loudest seconds of the first minutes, for clicks that stand out; None when
    there is no such rate.
    """
    loudest = max(_excerpts(file), key=lambda each: float(np.abs(each).mean()), default=None)
    if loudest is None or not loudest.any():
        return None
    for rate in RATES:
        if rate != file.rate and _has_clicks(loudest, file.rate / rate):
            return rate
    return None


def _excerpts(file: AudioFile) -> Iterator[NDArray[np.float32]]:
    """Yield the loudest channel of each stretch."""
    for number, block in enumerate(file.blocks(_EXCERPT_S)):
        if number * _EXCERPT_S >= _SEARCHED_S:
            return
        yield block[:, np.abs(block).mean(axis=0).argmax()]


def _has_clicks(sound: NDArray[np.float32], stretched: float) -> bool:
    """Return whether sound has clicks when it is played at another speed."""
    frames = round(_EXCERPT_S * SAMPLE_RATE)
    played = np.asarray(resample(sound, stretched, FILTER)[:frames], np.float32)
    base = Baseband.of(played)
    return any(chains(hits_of(voice, base)) for voice in voices_heard(played))
