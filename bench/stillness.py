"""Detector of the machine's standstills: real-time threads that only wake up periodically.

A child process has such a thread on every processor, since a hypervisor may stop single ones. At
each request it reports the late wake-ups since the request before. The threads have priority over
those of JACK and its clients, so a late wake-up is the machine's: no program could have played in
time.
"""

import os
import threading
import time

from jamlab.process.child import Child
from jamlab.process.parent import ending_with_parent, receive, send
from jamlab.process.pauses import collector_paused
from jamlab.process.real_time import RealTime

EVERY_S = 0.001
PRIORITY = 50
"""Priority of the threads; JACK has 10, its clients 5."""


class Stillness:
    """The parent's side of the detector's process; a context manager."""

    def __init__(self, longer_than_s):
        self._child = Child("the watch for standstills", "bench.stillness", longer_than_s)

    def __enter__(self):
        self._child.__enter__()
        self.found()
        return self

    def __exit__(self, *error):
        self._child.__exit__(*error)

    def found(self):
        """Return the lengths of the standstills since the last call, in milliseconds."""
        self._child.send("found")
        return self._child.receive()


def watch(processor, longer_than_s, found_s, ended):
    os.sched_setaffinity(0, {processor})
    RealTime(PRIORITY).ask()
    due_s = time.perf_counter()
    while not ended.is_set():
        due_s += EVERY_S
        time.sleep(max(0.0, due_s - time.perf_counter()))
        woken_s = time.perf_counter()
        if woken_s - due_s > longer_than_s:
            found_s.append(woken_s - due_s)
        due_s = max(due_s, woken_s)


def main():
    with ending_with_parent(), collector_paused():
        longer_than_s, found_s, ended = receive(), [], threading.Event()
        for processor in os.sched_getaffinity(0):
            threading.Thread(target=watch, args=(processor, longer_than_s, found_s, ended)).start()
        while receive() is not None:
            count = len(found_s)
            send([round(1000 * late_s, 1) for late_s in found_s[:count]])
            del found_s[:count]
        ended.set()


if __name__ == "__main__":
    main()
