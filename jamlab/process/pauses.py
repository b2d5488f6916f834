"""Python while sound plays: pauses that are short, if more of them.

A full run of the garbage collector looks at all there is, and a program that has loaded the
scientific libraries is large: sound stops for many blocks, in whatever function happened to make
the object that was one too many. So what is there when sound begins is looked at once and then
frozen, what is made later is looked at in small portions while it is young, and what outlives that
waits until sound ends. By then it can be what closed connections have left, and what a notebook has
drawn meanwhile.

A thread that computes, say in a notebook, keeps the interpreter to itself for five milliseconds
each time it gets it (`sys.setswitchinterval`), which is two blocks or four; so meanwhile it is
asked to give it up after a tenth of one.

Both are a whole process's, so cards share the change, and the last one to stop changes it back.
"""

import gc
import sys

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
