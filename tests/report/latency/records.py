"""Latency records to draw: any number of participants, some unheard clicks, one waveform."""

from dataclasses import replace

import numpy as np
import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.run import ONE_WAY, ROUND_TRIP
from jamlab.measure.latency.stages import STAGES
from tests.measure.latency.records import STAGES_MS, record_of

RESIDUAL_MS = 0.25
SHOWN_LATENCY_MS = 12.5


def drawn_record(peers=2, clicks=120, missed=0.0, seed=1):
    """Return a record whose latencies are the stages, a residual and a little noise.

    `missed` is the probability of a click not to be heard.
    """
    rng = np.random.default_rng(seed)

    def latencies(base_ms):
        def of_path(_sender, _receiver):
            values = base_ms + rng.gamma(2.0, 0.5, clicks)
            values[rng.random(clicks) < missed] = np.nan
            return values.tolist()

        return of_path

    one_way_ms = sum(STAGES_MS) + RESIDUAL_MS
    record = record_of(latencies(one_way_ms), latencies(2 * one_way_ms), peers=peers)
    unknown = record.clicks["latency_ms"].isna()
    record.clicks.loc[unknown, [f"{stage}_ms" for stage in STAGES]] = np.nan
    return replace(record, waveforms=pd.concat(excerpt(record, m) for m in (ONE_WAY, ROUND_TRIP)))


def excerpt(record, measurement):
    """Return the first click of a measurement, and a correlation that peaks where it is."""
    first = record.clicks[record.clicks["measurement"] == measurement].iloc[0]
    time_ms = np.arange(-240, 3840) / SAMPLE_RATE * 1000
    wave = np.where((time_ms >= 0) & (time_ms < 40), np.sin(time_ms * 6), 0.0)
    return pd.DataFrame(
        {
            "session": first["session"],
            "measurement": measurement,
            "sender": first["sender"],
            "receiver": first["receiver"],
            "click": first["click"],
            "time_ms": time_ms,
            "emitted": wave,
            "played": np.roll(
                wave, int(first["latency_ms"] * 48) if first.notna()["latency_ms"] else 0
            ),
            "correlation": np.exp(-((time_ms - first["latency_ms"]) ** 2) / 0.02),
        }
    )
