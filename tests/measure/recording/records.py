"""Records of recordings with chosen delays."""

import numpy as np
import pandas as pd

from jamlab.measure.provenance import provenance
from jamlab.measure.recording.record import ARRIVALS, CLICKS, RecordingRecord

BEAT_S = 60 / 119


def arrival(number, times_s, *, file=1, channel=1, voice=0, order=1, first=0):
    """Return the rows of an arrival; NaN for a click that was missed."""
    heard = [(first + n, time) for n, time in enumerate(times_s) if np.isfinite(time)]
    row = (number, file, channel, voice, order, 119.0, len(heard), 0, -20.0, 0.9)
    return (*row, heard[0][1], heard[-1][1]), [
        (number, click, time, 0.9, -20.0) for click, time in heard
    ]


def beats(count, late_s=0.0):
    return 0.25 + late_s + BEAT_S * np.arange(count)


def recording_record(*arrivals, target_ms=None, names=("take.wav",), notes=()):
    """Return a record; by default of a reference and a return that is 30 ms late."""
    chosen = arrivals or (
        arrival(1, beats(90)),
        arrival(2, beats(90, 0.030), channel=2),
    )
    files = [
        {"name": name, "rate": 48_000, "channels": 2, "seconds": 60.0, "format": "WAV PCM_24"}
        for name in names
    ]
    return RecordingRecord(
        pd.DataFrame([row for row, _ in chosen], columns=[*ARRIVALS]),
        pd.DataFrame([each for _, rows in chosen for each in rows], columns=[*CLICKS]),
        provenance({"bpm": None, "target_ms": target_ms}, recordings=files, notes=[*notes]),
    )
