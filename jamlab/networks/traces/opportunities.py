"""Reader of Mahimahi's traces: a line per delivery opportunity, with its time in milliseconds."""

from collections.abc import Sequence

import numpy as np

from jamlab.networks.model.delay_table import MOST_GAP_S, TraceError
from jamlab.networks.model.delivery import DeliveryTrace

_MOST_DIGITS = 12


def read_opportunities(lines: Sequence[str], name: str) -> DeliveryTrace:
    """Read a trace of delivery opportunities; raises `TraceError`.

    Examples
    --------
    >>> read_opportunities(["5", "10", "10", "20"], "a link").rate_bit_s
    2400000.0
    """
    times_ms = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS):
            raise TraceError(
                f"line {number} of {name} is {text[:20]!r}: give a whole number of milliseconds"
            )
        times_ms.append(int(text))
        if times_ms[-1] < times_ms[max(0, len(times_ms) - 2)]:
            raise TraceError(f"line {number} of {name} is before the line above: sort the lines")
    if not times_ms or not times_ms[-1]:
        raise TraceError(f"{name} has no delivery after 0 ms: give the times of a whole recording")
    longest_ms = int(np.diff([0, *times_ms]).max())
    if longest_ms > MOST_GAP_S * 1000:
        raise TraceError(
            f"{name} has no delivery for {longest_ms / 1000:.0f} s: cut it there, as no session "
            f"lasts through more than {MOST_GAP_S:.0f} s"
        )
    return DeliveryTrace(name, np.array(times_ms) / 1000)
