"""Records of encodings, made of chosen figures."""

import pandas as pd

from jamlab.measure.provenance import provenance
from jamlab.measure.sound_quality.plan import SoundQualityPlan
from jamlab.measure.sound_quality.record import SESSION_COLUMNS, SoundQualityRecord


def quality_record(figures, network="cable", plan=None):
    """Return a record of sessions; `figures` has latency and zimtohrli by frame length."""
    rows = [
        {
            "network": network,
            "quality": "low latency",
            "frame_frames": frames,
            "session": number,
            "payload_bps": 128_000.0,
            "wire_bps": 128_000.0 + 58 * 8 * 48_000 / frames,
            "latency_ms": latency_ms,
            "concealed_share": 0.01,
            "sinad_db": 14.0,
            "zimtohrli": score,
        }
        for frames, sessions in figures.items()
        for number, (latency_ms, score) in enumerate(sessions)
    ]
    table = pd.DataFrame(rows).astype(SESSION_COLUMNS)
    return SoundQualityRecord(table, provenance((plan or SoundQualityPlan()).to_dict()))
