"""Real-time scheduling (SCHED_FIFO) of the thread that feeds a sound card.

A thread of the default scheduling class may wait after its wake-up until the time slice of another
thread ends. On a busy machine that takes milliseconds, and a block of a sound card lasts one to
three. A SCHED_FIFO thread runs at once (sched(7)). Systems allow it to root and to configured
groups: the JACK packages of Debian and Fedora allow the group *audio* priorities up to 95.

Our priority is below those of the sound system's own threads (JACK runs its clients at 5 by
default), which must not wait for us. Child processes do not inherit it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading

PRIORITY = 2
"""Default priority, for a session's event loop."""

ALLOWANCE = (
    "let your user have real-time priority: dpkg-reconfigure jackd2 and then "
    "adduser $USER audio (Debian, Ubuntu), usermod -aG realtime $USER (Fedora, Arch); log in again"
)
"""How a user gets the permission."""


class _Thread(threading.local):
    """Per thread: the number of holders, and the scheduling before the first of them."""

    holders: int = 0
    before: tuple[int, os.sched_param] | None = None


_thread = _Thread()


class RealTime:
    """Real-time scheduling of the calling thread, requested and given back; only on Linux.

    A thread may have several holders: the first one's priority holds, and the last `give_back`
    restores the earlier scheduling. Priorities are 1 to 99; a higher one runs first.
    """

    def __init__(self, priority: int = PRIORITY) -> None:
        self._priority = priority
        self._held = False

    def ask(self) -> bool:
        """Request real-time scheduling; return whether the system grants it."""
        if sys.platform != "linux" or not hasattr(os, "SCHED_FIFO"):
            return False
        if not self._held and (_thread.holders or _raise(self._priority)):
            _thread.holders += 1
            self._held = True
        return self._held

    def give_back(self) -> None:
        """Restore the thread's earlier scheduling. A second call does nothing."""
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
