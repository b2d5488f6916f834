"""Tables of packets' delays as CSV: ``sent_ms`` and ``delay_ms``, or ``rtt_ms`` there and back.

Of a round trip one half is taken for each way, as nothing else is known of it. A delay is empty for
a lost packet; further columns are ignored.
"""

import csv
import gzip
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jamlab.networks.model.trace import LEAST_PACKETS, DelayTrace
from jamlab.resources import data_path

MOST_DELAY_S = 30.0
"""The longest time a packet may take: no network keeps one for so long."""
MOST_GAP_S = 60.0
"""The longest time between two packets: a trace with a longer one does not say what was between."""
HALF = "each delay is half of a round trip"

_SENT, _DELAY, _ROUND_TRIP = "sent_ms", "delay_ms", "rtt_ms"


class TraceError(ValueError):
    """A file is no trace; the message is a sentence that says where, why, and what to do."""


def has_header(line: str) -> bool:
    """Return whether a line names the columns of such a table."""
    names = _names(line.split(","))
    return _SENT in names or _DELAY in names or _ROUND_TRIP in names


def read_delays(lines: Iterable[str], name: str) -> DelayTrace:
    """Read a table; raises `TraceError`.

    Examples
    --------
    >>> rows = [f"{10 * k},{5 + k % 3}" for k in range(20)]
    >>> trace = read_delays(["sent_ms,delay_ms", *rows], "Wi-Fi")
    >>> float(trace.delay_s.max())
    0.007
    """
    rows = csv.reader(lines, strict=True)
    try:
        header = _names(next(rows, []))
        column = _ROUND_TRIP if _ROUND_TRIP in header and _DELAY not in header else _DELAY
        for needed in (_SENT, column):
            if needed not in header:
                raise TraceError(f"{name} has no column {needed}: add it to the first line")
        found = list(_packets(rows, header, column, name))
    except csv.Error as error:
        raise TraceError(f"{name} is not valid CSV in line {rows.line_num}: {error}") from None
    both_ways = column == _ROUND_TRIP
    sent_ms, delay_ms = np.array(found, np.float64).reshape(-1, 2).T
    return checked_trace(
        name,
        sent_ms / 1000,
        delay_ms / (2000 if both_ways else 1000),
        absolute=both_ways,
        notes=(HALF,) if both_ways else (),
    )


def checked_trace(
    name: str,
    sent_s: NDArray[np.float64],
    delay_s: NDArray[np.float64],
    *,
    absolute: bool,
    notes: tuple[str, ...] = (),
) -> DelayTrace:
    """Return a trace of packets in the order of sending; raises `TraceError` where it says nothing.

    Times are of any beginning; those that are equal are set apart by a nanosecond.
    """
    if np.count_nonzero(~np.isnan(delay_s)) < LEAST_PACKETS:
        raise TraceError(
            f"{name} has {np.count_nonzero(~np.isnan(delay_s))} packets that arrived: "
            f"give {LEAST_PACKETS} or more"
        )
    gaps_s = np.diff(sent_s)
    longest = int(np.argmax(gaps_s))
    if gaps_s[longest] > MOST_GAP_S:
        raise TraceError(
            f"{name} has a gap of {gaps_s[longest]:.0f} s after {sent_s[longest] - sent_s[0]:.0f} "
            f"s: cut it there, as nothing is known of more than {MOST_GAP_S:.0f} s"
        )
    sent_s = sent_s - sent_s[0]
    if (gaps_s == 0).any():
        sent_s = sent_s + 1e-9 * np.arange(len(sent_s))
    return DelayTrace(name, sent_s, delay_s, absolute, notes)


@cache
def shipped_delays(file: str) -> DelayTrace:
    """Return a trace that ships with jamlab, by the name of its file."""
    with gzip.open(data_path(file), "rt", encoding="utf-8", newline="") as lines:
        return read_delays(lines, file.partition(".")[0])


def shipped_files() -> tuple[str, ...]:
    """Return the names of the traces' files that ship with jamlab."""
    folder = data_path("network_profiles.csv").parent
    return tuple(sorted(path.name for path in folder.glob("*.csv.gz")))


def _names(cells: Sequence[str]) -> list[str]:
    return [cell.strip().lstrip("\N{ZERO WIDTH NO-BREAK SPACE}").lower() for cell in cells]


def _packets(
    rows: Iterable[list[str]], header: Sequence[str], column: str, name: str
) -> Iterator[tuple[float, float]]:
    """Yield the times of sending and the delays of rows, in milliseconds; NaN for a lost packet."""
    sent_at, delay_at = header.index(_SENT), header.index(column)
    latest_ms = -math.inf
    for number, row in enumerate(rows, start=2):
        if not row:
            continue
        where = f"line {number} of {name}"
        if len(row) <= max(sent_at, delay_at):
            raise TraceError(
                f"{where} has {len(row)} values for {len(header)} columns: complete it"
            )
        sent_ms = _number(row[sent_at], _SENT, where)
        if sent_ms < latest_ms:
            raise TraceError(
                f"{where} was sent at {sent_ms:g} ms, before the packet of the line above: sort "
                f"the lines by {_SENT}"
            )
        latest_ms = sent_ms
        yield sent_ms, _delay_ms(row[delay_at], column, where)


def _delay_ms(text: str, column: str, where: str) -> float:
    if not text.strip():
        return math.nan
    delay_ms = _number(text, column, where)
    if delay_ms < 0:
        raise TraceError(
            f"{where} has a delay below 0, {delay_ms:g} ms, so two clocks disagree: subtract the "
            "least delay from all"
        )
    if delay_ms > MOST_DELAY_S * 1000:
        raise TraceError(
            f"{where} has a delay of {delay_ms / 1000:.0f} s, so two clocks disagree: give delays "
            f"above the least, up to {MOST_DELAY_S:g} s"
        )
    return delay_ms


def _number(text: str, column: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < _MOST_MS:
        raise TraceError(f"{where} has {text[:20]!r} as {column}: give milliseconds")
    return number


_MOST_MS = 1e15
"""Beyond it a float does not tell milliseconds apart."""
