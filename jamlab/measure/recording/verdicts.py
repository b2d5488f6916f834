"""Verdicts on the delays in recordings, against a target that the user names."""

from dataclasses import replace

from jamlab.measure.recording.delays import pairs
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.recording.stopwatch import plan_of, stopwatch
from jamlab.measure.statistics import p95, resampling
from jamlab.measure.verdict import Outcome, Verdict, judge_below, unmeasured

DELAY = "delay, 95th percentile"

_STOPWATCH = "stopwatch test"
_NO_RETURN = "No channel hears a click twice: let B's sound come out of A's loudspeaker."
_NO_PAIR = (
    "No voice arrives twice: record what is played and what comes back, in two channels or in one."
)


def recording_verdicts(record: RecordingRecord) -> list[Verdict]:
    """Return a verdict on each pair of arrivals, or on a stopwatch test; none without a target.

    A click that was dropped is infinitely late.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import analyse, example_take
    >>> with TemporaryDirectory() as folder:
    ...     record = analyse(example_take(Path(folder) / "take.wav"), target_ms=20)
    >>> for verdict in recording_verdicts(record):
    ...     print(f"{verdict.name}: {verdict.verdict.value}")
    delay, 95th percentile, channel 1 to channel 2: INCONCLUSIVE
    """
    target_ms = record.target_ms
    if target_ms is None:
        return []
    if plan_of(record) is not None:
        return [_of_stopwatch(record, target_ms)]
    found = pairs(record)
    if not found:
        return [replace(unmeasured(DELAY, Outcome.NOT_RUN, _NO_PAIR), target=f"< {target_ms:.12g}")]
    rng = resampling()
    return [
        judge_below(
            f"{DELAY}, {record.name(pair.source)} to {record.name(pair.to)}",
            target_ms,
            p95(pair.delays_ms, rng, among=len(found)),
            "ms",
        )
        for pair in found
    ]


def _of_stopwatch(record: RecordingRecord, target_ms: float) -> Verdict:
    read = stopwatch(record)
    if read is None:
        return replace(
            unmeasured(_STOPWATCH, Outcome.NOT_RUN, _NO_RETURN), target=f"< {target_ms:.12g}"
        )
    if read.fault:
        return replace(
            unmeasured(_STOPWATCH, Outcome.INCONCLUSIVE, read.fault), target=f"< {target_ms:.12g}"
        )
    return judge_below(f"{_STOPWATCH}, {read.name}, 95th percentile", target_ms, read.p95(), "ms")
