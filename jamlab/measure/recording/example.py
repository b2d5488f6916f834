"""A recording that is made on the spot, to see what an analysis says."""

from pathlib import Path

import numpy as np
import soundfile

from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE

DELAY_MS = 27.5
DROPPED = (17, 31)
"""Clicks that do not come back."""

_CLICKS = 60


def example_take(path: Path) -> Path:
    """Write a recording of 30 seconds: clicks in channel 1, and in channel 2 what came back.

    They come back after `DELAY_MS`, 9 dB weaker; two of them are lost.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import analyse
    >>> with TemporaryDirectory() as folder:
    ...     record = analyse(example_take(Path(folder) / "take.wav"))
    >>> record.arrivals[["channel", "voice", "heard", "missed"]]
       channel  voice  heard  missed
    0        1      0     60       0
    1        2      0     58       2
    """
    metronome = Metronome(bpm=119.0)
    late = round(DELAY_MS * SAMPLE_RATE / 1000)
    sound = np.zeros((metronome.onset(_CLICKS) + SAMPLE_RATE, 2), np.float32)
    for number in range(_CLICKS):
        begin, click = metronome.onset(number), metronome.click(number)
        sound[begin : begin + CLICK_FRAMES, 0] += click
        if number not in DROPPED:
            sound[begin + late : begin + late + CLICK_FRAMES, 1] += 0.355 * click
    sound += np.random.default_rng(1).normal(0, 1e-3, sound.shape).astype(np.float32)
    soundfile.write(path, sound, SAMPLE_RATE, "PCM_24")
    return path
