"""The pauses that Python's garbage collector makes, and a busy thread: short, seldom or none.

A full run of the collector looks at all there is, and a program that has loaded the scientific
libraries is large: it takes a tenth of a second, in whatever function happened to make the object
that was one too many. While a measurement lasts there is none (`collector_paused`), and a campaign
says itself when there is one (`collecting_every`).

While sound plays pauses are short, if more of them (`ShortPauses`). The objects that are there when
sound begins are looked at once and then frozen, those made later are looked at in small portions
while they are young, and those that outlive that wait until sound ends. By then it can be what
closed connections have left, and what a notebook has drawn meanwhile.

A thread that computes, say in a notebook, keeps the interpreter to itself for five milliseconds
each time it gets it (`sys.setswitchinterval`), which is two blocks or four; so meanwhile it is
asked to give it up after a tenth of one.

Both are a whole process's, so cards share the change, and the last one to stop changes it back.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

THRESHOLDS = 200, 5, 1_000_000
"""Objects, and collections of the next younger generation, that make a collection (`gc`)."""
SWITCH_INTERVAL_S = 0.0001
"""After which a thread that computes is asked to let others run."""

_holders = 0
_before = gc.get_threshold(), sys.getswitchinterval()


class ShortPauses:
    """The interpreter's habits, changed and changed back."""

    def __init__(self) -> None:
        self._held = False

    def ask(self) -> None:
        """Keep pauses short from now on; takes one long pause at once. Twice is harmless."""
        global _before, _holders
        if self._held:
            return
        if _holders == 0:
            gc.collect()
            gc.freeze()
            _before = gc.get_threshold(), sys.getswitchinterval()
            gc.set_threshold(*THRESHOLDS)
            sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._held = True
        _holders += 1

    def give_back(self) -> None:
        """Let it work as before, once nobody else wants it so. Twice is harmless."""
        global _holders
        if not self._held:
            return
        self._held = False
        _holders -= 1
        if _holders == 0:
            gc.unfreeze()
            thresholds, switch_interval_s = _before
            gc.set_threshold(*thresholds)
            sys.setswitchinterval(switch_interval_s)


@contextmanager
def collector_paused(collect: bool = True) -> Iterator[None]:
    """Keep Python's garbage collector from running, then leave it as it was.

    Parameters
    ----------
    collect : bool
        Whether to look at all there is first: not when sound is on that is about to be measured.
    """
    enabled = gc.isenabled()
    if collect:
        gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def collecting_every(times: int) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each step; the collector runs after so many of them alone.

    It then looks at what is young: for steps that leave cycles of which none lives on.
    """
    steps = 0

    def done() -> None:
        nonlocal steps
        steps += 1
        if steps % times == 0:
            gc.collect(1)

    with collector_paused(collect=False):
        yield done
