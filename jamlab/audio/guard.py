"""Guards of the sound path: an exception is logged once, and silences its own part only.

A card calls back a thousand times a second. A fault that comes again in every block would fill the
log, one that went unreported would be looked for in vain, and one that got through would end the
sound of everybody.
"""

import logging
from collections.abc import Callable, Hashable
from functools import partial

from jamlab.audio.pcm import Block, silence

log = logging.getLogger(__name__)

_KINDS = 64  # that are remembered; of more nothing new is to be learned


class FaultLog:
    """Logs exceptions with their tracebacks, those of a kind once."""

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()

    def note(self, what: str, error: Exception) -> None:
        """Log an exception, unless one of its type was logged for the same failure.

        Parameters
        ----------
        what : str
            What failed, and what happens now.
        error : Exception
            What was raised.
        """
        kind = what, type(error)
        if kind not in self._seen and len(self._seen) < _KINDS:
            self._seen.add(kind)
            log.error("%s; it is logged once", what, exc_info=error)


def guarded(callback: Callable[[Block], Block]) -> Callable[[Block], Block]:
    """Return a card's callback that returns silence where the given one fails."""
    return partial(_called, callback, FaultLog())


def _called(callback: Callable[[Block], Block], faults: FaultLog, captured: Block) -> Block:
    try:
        played = callback(captured)
        if played.shape != captured.shape:
            raise ValueError(f"the card asked for {captured.shape}, got {played.shape}")
    except Exception as error:
        faults.note("the card's callback failed, so the card plays silence", error)
        return silence(len(captured))
    return played
