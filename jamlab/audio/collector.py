"""Python's garbage collector while sound plays: often and short instead of rarely and long.

A full collection looks at all there is, and a program that has loaded the scientific libraries is
large: sound stops for many blocks, in whatever function happened to make the object that was one
too many. So what is there when sound begins is looked at once and then frozen, what is made later
is looked at in small portions while it is young, and what outlives that waits until sound ends. By
then it can be what closed connections have left, and what a notebook has drawn meanwhile.

There is one collector for a whole process, so cards share the change, and the last one to stop
changes it back.
"""

import gc

THRESHOLDS = 200, 5, 1_000_000
"""Objects, and collections of the next younger generation, that make a collection (`gc`)."""

_holders = 0
_before = gc.get_threshold()


class ShortPauses:
    """The collector's habits, changed and changed back."""

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
            _before = gc.get_threshold()
            gc.set_threshold(*THRESHOLDS)
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
            gc.set_threshold(*_before)
