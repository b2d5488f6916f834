"""How often the machine itself stands still: real-time threads that do nothing but wake up.

``python -m bench.stillness SECONDS`` has one on every processor, since a hypervisor may stop one
and not the others. For each line on standard input it tells how often one of them was woken later
than that since the line before. They come before the threads of JACK and its clients, so it is the
machine they tell of: nothing could have played in time then, whatever it is written in.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
import threading
import time

EVERY_S = 0.001
PRIORITY = 50
"""JACK's own is 10, its clients' 5."""


class Stillness:
    """That process at work; a context manager."""

    def __init__(self, longer_than_s):
        self._longer_than_s = longer_than_s

    def __enter__(self):
        command = [sys.executable, "-m", "bench.stillness", str(self._longer_than_s)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.found()
        return self

    def __exit__(self, *_):
        self._process.communicate()

    def found(self):
        """Return how long each standstill since the last call was, in milliseconds."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def watch(processor, longer_than_s, found_s, ended):
    os.sched_setaffinity(0, {processor})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    due_s = time.perf_counter()
    while not ended.is_set():
        due_s += EVERY_S
        time.sleep(max(0.0, due_s - time.perf_counter()))
        woken_s = time.perf_counter()
        if woken_s - due_s > longer_than_s:
            found_s.append(woken_s - due_s)
        due_s = max(due_s, woken_s)


def main():
    longer_than_s = float(sys.argv[1])
    found_s, ended = [], threading.Event()
    gc.disable()
    for processor in os.sched_getaffinity(0):
        threading.Thread(target=watch, args=(processor, longer_than_s, found_s, ended)).start()
    for _ in sys.stdin:
        told = len(found_s)
        print(json.dumps([round(1000 * late_s, 1) for late_s in found_s[:told]]), flush=True)
        del found_s[:told]
    ended.set()


if __name__ == "__main__":
    main()
