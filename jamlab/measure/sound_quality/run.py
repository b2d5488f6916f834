"""Comparison of encodings by the sound they play, in virtual time."""

import math
import random
from concurrent.futures import Executor, as_completed
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from jamlab.audio.pcm import SAMPLE_RATE, Block
from jamlab.measure.processes import Progress, process_pool
from jamlab.measure.provenance import provenance
from jamlab.measure.sound_quality.alignment import AlignmentError, align
from jamlab.measure.sound_quality.music import piece
from jamlab.measure.sound_quality.path import HEADER_BYTES, Heard, Path
from jamlab.measure.sound_quality.plan import SoundQualityPlan, Task, access_link
from jamlab.measure.sound_quality.record import SESSION_COLUMNS, SoundQualityRecord
from jamlab.measure.sound_quality.scores import sinad_db, zimtohrli


def measure_sound_quality(
    plan: SoundQualityPlan, executor: Executor | None = None, progress: Progress = lambda *_: None
) -> SoundQualityRecord:
    """Play music through every encoding and network of a plan, and score what is heard.

    The executor is a process pool by default; a run takes as long as its computation.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> plan = SoundQualityPlan(("cable",), duration_s=1.0, settle_s=1.0, sessions=1)
    >>> with ThreadPoolExecutor(1) as executor:
    ...     record = measure_sound_quality(plan, executor)
    >>> len(record.sessions), float(record.sessions["concealed_share"].max())
    (12, 0.0)
    """
    if executor is None:
        with process_pool() as pool:
            return measure_sound_quality(plan, pool, progress)
    runs = [executor.submit(measure_session, plan, task) for task in plan.tasks()]
    for done, _ in enumerate(as_completed(runs), start=1):
        progress(done / len(runs), "encodings")
    table = pd.DataFrame([run.result() for run in runs], columns=list(SESSION_COLUMNS))
    return SoundQualityRecord(table.astype(SESSION_COLUMNS), provenance(plan.to_dict()))


def measure_session(plan: SoundQualityPlan, task: Task) -> dict[str, Any]:
    """Return a row of the record: one session of one encoding."""
    rng = random.Random(f"{plan.seed} {task.network} {task.session}")
    path = Path(task.encoding, access_link(task.network), rng, plan.block_frames)
    music = _music(plan.settle_s + plan.duration_s, plan.seed)
    settle_frames = round(plan.settle_s * SAMPLE_RATE)
    heard = path.play(music, settle_frames)
    return _row(task, heard) | _scores(music, heard, settle_frames)


@cache
def _music(seconds: float, seed: int) -> Block:
    return piece(seconds, seed)


def _row(task: Task, heard: Heard) -> dict[str, Any]:
    due = heard.played_frames + heard.concealed_frames
    return {
        "network": task.network,
        "quality": task.quality,
        "frame_frames": task.frame_frames,
        "session": task.session,
        "payload_bps": 8 * heard.payload_bytes / heard.sent_s,
        "wire_bps": 8 * (heard.payload_bytes + HEADER_BYTES * heard.packets) / heard.sent_s,
        "concealed_share": heard.concealed_frames / max(due, 1),
    }


def _scores(music: Block, heard: Heard, settle_frames: int) -> dict[str, float]:
    """Return latency and scores of the music after the settling time; NaN where it is not heard."""
    played, sound = (each[settle_frames:].astype(np.float64) for each in (music, heard.sound))
    try:
        aligned = align(played, sound)
    except AlignmentError:
        return dict.fromkeys(("latency_ms", "sinad_db", "zimtohrli"), math.nan)
    latency_frames = aligned.delay_frames + heard.later_frames
    return {
        "latency_ms": 1000 * latency_frames / SAMPLE_RATE,
        "sinad_db": sinad_db(aligned),
        "zimtohrli": zimtohrli(aligned),
    }
