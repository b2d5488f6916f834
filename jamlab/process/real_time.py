"""Real-time scheduling of the thread that feeds a sound card, as audio programs ask for it.

A thread of the usual class that is woken may wait until another one's time slice is over, which
takes milliseconds on a machine with anything else to do; a card's block lasts one or three. One of
the class SCHED_FIFO runs at once (sched(7)). Systems allow it to root and to those they name:
Debian's and Fedora's JACK packages name the group *audio*, up to the priority 95.

What is asked for lies below the priorities of sound cards' own threads (JACK runs its clients at 5
by default), which must not wait for us. Processes that are started meanwhile do not inherit it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

PRIORITY = 2
"""Of a session's event loop."""

ALLOWANCE = (
    "let your user have real-time priority: dpkg-reconfigure jackd2 and then "
    "adduser $USER audio (Debian, Ubuntu), usermod -aG realtime $USER (Fedora, Arch); log in again"
)
"""How to be allowed to."""


class _Thread(threading.local):
    """What each thread knows of itself."""

    holders: int = 0
    before: tuple[int, os.sched_param] | None = None


_thread = _Thread()


class RealTime:
    """The calling thread's class, changed and changed back; on Linux alone.

    Several may ask for it in one thread: the first one's priority holds, and the last to give it
    back changes it back.

    Parameters
    ----------
    priority : int
        1 to 99; the higher comes first.
    """

    def __init__(self, priority: int = PRIORITY) -> None:
        self._priority = priority
        self._held = False

    def ask(self) -> bool:
        """Run this thread at once whenever it is woken; returns whether the system lets us."""
        if sys.platform != "linux":
            return False
        if not self._held and (_thread.holders or _raise(self._priority)):
            _thread.holders += 1
            self._held = True
        return self._held

    def give_back(self) -> None:
        """Go back to what this thread was before. Doing so twice is harmless."""
        if not self._held:
            return
        self._held = False
        _thread.holders -= 1
        if not _thread.holders and _thread.before is not None:
            (policy, parameter), _thread.before = _thread.before, None
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(0, policy, parameter)


def _raise(priority: int) -> bool:
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
    try:
        os.sched_setscheduler(0, policy, os.sched_param(priority))
    except PermissionError:
        return False
    _thread.before = before
    return True
