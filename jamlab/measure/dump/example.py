"""The dump that ships with jamlab."""

from jamlab.measure.dump.dump import Dump, read_dump
from jamlab.resources import data_path


def example_dump() -> Dump:
    """Read the dump that ships with jamlab: a call between two connections of one Chromium.

    Examples
    --------
    >>> summary = example_dump().stage_summary
    >>> summary[summary["connection"] == "9-1"][["stage", "seconds", "median_ms"]].round(1)
                      stage  seconds  median_ms
    0                 frame        0        NaN
    1               network       88        1.0
    2         jitter buffer       88      112.2
    3               playout       88       30.0
    4          receive side       88      142.2
    5  capture and encoding        0        NaN
    """
    return read_dump(data_path("example_dump.json.gz"))
