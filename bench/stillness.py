"""How often the machine itself stands still: a real-time thread that does nothing but wake up.

``python -m bench.stillness SECONDS`` counts how often it was woken later than that, until a line
comes on standard input. Nothing could have played in time then, whatever it is written in.
"""

import gc
import json
import subprocess
import sys
import threading
import time

from jamlab.audio.realtime import RealTime

EVERY_S = 0.001


class Stillness:
    """That process at work; a context manager."""

    def __init__(self, longer_than_s):
        self._longer_than_s = longer_than_s

    def __enter__(self):
        command = [sys.executable, "-m", "bench.stillness", str(self._longer_than_s)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self._process.stdout.readline()
        return self

    def __exit__(self, *_):
        told, _ = self._process.communicate("\n")
        self.found = json.loads(told)


def main():
    longer_than_s = float(sys.argv[1])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), ended.set())).start()
    gc.disable()
    RealTime().ask()
    print("watching", flush=True)
    late_s, due_s = [], time.perf_counter()
    while not ended.is_set():
        due_s += EVERY_S
        time.sleep(max(0.0, due_s - time.perf_counter()))
        woken_s = time.perf_counter()
        if woken_s - due_s > longer_than_s:
            late_s.append(woken_s - due_s)
        due_s = max(due_s, woken_s)
    print(json.dumps({"times": len(late_s), "worst_ms": round(1000 * max(late_s, default=0.0), 1)}))


if __name__ == "__main__":
    main()
