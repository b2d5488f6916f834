"""Write a new record over old ones, and be killed each time one step later.

``python -m tests.measure.killed KIND OLD FOLDER``: copies of OLD are made in FOLDER, called by
their number, and a process is killed in the first of them before the first step that changes
anything on the disk, in the second before the second one, and so on, until one comes to its end.
"""

import itertools
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from tests.measure.acceptance.runs import whole_record
from tests.measure.latency.records import record_of

OLD_MS, NEW_MS = 11.0, 44.0
STEPS = (
    (Path, "mkdir"),
    (Path, "write_text"),
    (Path, "write_bytes"),
    (Path, "replace"),
    (Path, "rename"),
    (Path, "unlink"),
    (os, "rmdir"),
    (pd.DataFrame, "to_parquet"),
)


def latency_of(ms):
    """Return a record whose clicks and provenance both say which it is."""
    record = record_of(lambda a, b: [ms] * 8, lambda a, b: [ms] * 8)
    record.provenance["marker"] = ms
    return record


def acceptance_of(ms):
    """Return a record of acceptance tests, which has such a latency record in it."""
    record = replace(whole_record(["two-users-on-one-network"]), latency=latency_of(ms))
    record.figures["value"] = ms
    record.provenance["marker"] = ms
    return record


KINDS = {"latency": latency_of, "acceptance": acceptance_of}


def kill_before(step):
    """Have this process killed before the step of that number."""
    left = [step]

    def counting(done):
        def counted(*given, **named):
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return done(*given, **named)

        return counted

    for owner, name in STEPS:
        setattr(owner, name, counting(getattr(owner, name)))


def main(kind, old, folder):
    for step in itertools.count():
        copied = Path(shutil.copytree(old, Path(folder, str(step))))
        child = os.fork()
        if child == 0:
            record = KINDS[kind](NEW_MS)
            kill_before(step)
            record.save(copied)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
