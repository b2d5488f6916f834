"""The advice to an ensemble in sentences: who can play together, and what the tempo will do."""

import math

import pandas as pd

from jamlab.measure.digits import between, decimals
from jamlab.measure.ensemble.groups import ensemble_groups, ensemble_pairs
from jamlab.measure.ensemble.latencies import EnsembleRecord
from jamlab.measure.ensemble.tempo import CHESTON, Outlook, tempo_outlook

_STEADY_BPM_MIN = 0.05  # a change below it is written as 0


def ensemble_advice(record: EnsembleRecord) -> str:
    """Return the advice on a record's latencies; it is never surer than they are.

    Examples
    --------
    >>> from jamlab import example_record
    >>> print(ensemble_advice(example_record()).partition(" (")[0])
    Both can keep together as in one room: their latency is below 20 ms
    """
    return f"{_together(record)} {tempo_words(tempo_outlook(record))}"


def _together(record: EnsembleRecord) -> str:
    pairs, groups = ensemble_pairs(record), ensemble_groups(record)
    count = len({*pairs["one"], *pairs["other"]})
    if not len(pairs) or not (pairs["high_ms"] < math.inf).any():
        return "Who can play together is not known: no latency is known."
    everybody, whose = ("Both", "their") if count == 2 else (f"All {count}", "every pair's")
    for row in groups.to_dict("records"):
        limit, can = f"{row['limit_ms']:g} ms", f"can {row['meaning']}"
        if _all(row["surely"], count):
            return f"{everybody} {can}: {whose} latency is below {limit} ({row['sources']})."
        if _all(row["possibly"], count):
            return (
                f"INCONCLUSIVE whether {everybody.lower()} {can}: an interval contains {limit} "
                f"({row['sources']}).{_surely(groups, count)}"
            )
    sure = [row for row in groups.to_dict("records") if row["surely"]]
    if not sure:
        return f"No two are surely below {groups['limit_ms'].max():g} ms: no common beat is likely."
    row = max(sure, key=lambda each: len(each["surely"][0]))
    names = " or ".join(", ".join(group) for group in row["surely"])
    return (
        f"Not all {count} can play together; the largest group that can {row['meaning']}, below "
        f"{row['limit_ms']:g} ms ({row['sources']}): {names}."
    )


def _surely(groups: pd.DataFrame, count: int) -> str:
    """Return the least limit that all are surely below, as a sentence; "" without one."""
    for row in groups.to_dict("records"):
        if _all(row["surely"], count):
            return f" They surely can {row['meaning']}, below {row['limit_ms']:g} ms."
    return ""


def _all(groups: list[list[str]], count: int) -> bool:
    return bool(groups) and len(groups[0]) == count


def tempo_words(outlook: Outlook | None) -> str:
    """Return what the tempo will do, in a sentence."""
    if outlook is None:
        return "What happens to the tempo is not known: a latency is missing."
    low, high = outlook.slope_bpm_min
    places = min(decimals((low + high) / 2, low, high, "bpm"), 1)
    steady = max(-low, high) < _STEADY_BPM_MIN
    will = "stay" if steady else f"change by {between(low, high, places)} bpm in a minute"
    return (
        f"Without a click, the tempo of {outlook.bpm:g} bpm is expected to {will} (a model after "
        f"{CHESTON.cited})."
    )
