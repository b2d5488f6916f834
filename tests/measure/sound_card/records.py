"""Records of sound cards with chosen round trips."""

import numpy as np
import pandas as pd

from jamlab.audio.portaudio import Device
from jamlab.measure.sound_card.loopback import LoopbackPlan
from jamlab.measure.sound_card.record import CARD_COLUMNS, CardRecord

OUTPUT = Device(0, "speakers", "output", 2, "ALSA")
INPUT = Device(1, "microphone", "input", 1, "ALSA")


def clicks_of(round_trips, clicks=40, spread=0.0, missed=0):
    """A row per click: `round_trips` by block size, in frames; the first few not heard."""
    rng = np.random.default_rng(2)
    rows = [
        (block, k, np.nan if k < missed else frames + spread * rng.standard_normal(), 0.9)
        for block, frames in round_trips.items()
        for k in range(clicks)
    ]
    return pd.DataFrame(rows, columns=list(CARD_COLUMNS))


def card_record(round_trips, **options):
    plan = LoopbackPlan(tuple(round_trips))
    return CardRecord.of(clicks_of(round_trips, **options), plan, OUTPUT, INPUT)
