"""``python -m bench.dump``: the time to read a dump of a call, over decoding its JSON alone.

The dump has 3 MB: connections of ten minutes each, as many as it takes. `bars` is for other
benches.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.bars import Bar, bar, figure, publish
from bench.calibration import alternated
from jamlab.measure.dump.dump import read_dump
from jamlab.measure.dump.verdicts import dump_verdicts
from tests.measure.dump.calls import events, internals, rtcstats_lines, samples, write

RUNS = 5
LEAST_BYTES = 3_000_000
SECONDS = 600
MOST_RATIO = 60.0
"""Time to read a dump, its tables and verdicts, over that of ``json.loads`` of the same file.

That is two seconds for 3 MB where decoding takes 33 ms.
"""


def long_dump() -> dict:
    """Return a dump of webrtc-internals of at least `LEAST_BYTES`."""
    delays_ms = np.random.default_rng(1).uniform(20, 150, SECONDS)
    dump = internals(samples(delays_ms), events())
    (only,) = dump["PeerConnections"].values()
    count = LEAST_BYTES // len(json.dumps(only)) + 1
    dump["PeerConnections"] = {f"25-{number}": only for number in range(count)}
    return dump


def long_lines() -> list[str]:
    """Return the lines of a file of rtcstats of at least `LEAST_BYTES`."""
    delays_ms = np.random.default_rng(1).uniform(20, 150, SECONDS)
    head, about, *lines = rtcstats_lines(samples(delays_ms), events())
    count = LEAST_BYTES // sum(map(len, lines)) + 1
    return [head, about, *(line.replace("PC_0", f"PC_{n}") for n in range(count) for line in lines)]


def read_s(path: Path) -> float:
    """Return the CPU time of reading a dump, with its tables, stages and verdicts."""
    began_s = time.process_time()
    dump_verdicts(read_dump(path))
    return time.process_time() - began_s


def decode_s(path: Path) -> float:
    """Return the CPU time of decoding the same JSON: each line, or the file and what is in strings.

    webrtc-internals writes the values of each series as JSON in a string.
    """
    text = path.read_text(encoding="utf-8")
    began_s = time.process_time()
    if text.startswith("RTCStatsDump"):
        for line in text.splitlines()[1:]:
            json.loads(line)
    else:
        for peer in json.loads(text)["PeerConnections"].values():
            for series in peer["stats"].values():
                json.loads(series["values"])
    return time.process_time() - began_s


def bars(folder: Path) -> list[Bar]:
    """Return the rows of both layouts: the ratio with its bar, and the seconds."""
    rows = []
    for layout, content in (("webrtc-internals", long_dump()), ("rtcstats", long_lines())):
        path = write(folder / layout, content)
        megabytes = path.stat().st_size / 1e6
        read_s(path)  # imports, and caches of the processor
        compared = alternated(
            lambda path=path: read_s(path), lambda path=path: decode_s(path), RUNS
        )
        name = f"{layout} of {megabytes:.1f} MB, read"
        rows.append(bar(f"{name}, over json.loads", compared.ratios, "×", "≤", MOST_RATIO))
        rows.append(figure(name, compared.measured, "s"))
    return rows


def main() -> int:
    """Print the bars, write them as JSON, and return the number of missed ones."""
    with tempfile.TemporaryDirectory() as folder:
        return publish(bars(Path(folder)), Path("reports/bench-dump.json"))


if __name__ == "__main__":
    sys.exit(main())
