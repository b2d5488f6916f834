"""Error handling in the audio path: an exception is logged once and silences only its own source.

A card calls back about a thousand times a second. A fault that is logged in every block fills the
log, one that is never logged cannot be found, and one that leaves the callback ends all sound.
"""

import logging
from collections.abc import Callable, Hashable
from functools import partial

from jamlab.audio.pcm import Block, silence

log = logging.getLogger(__name__)

_KINDS = 64  # limit of memory: the faults after these add nothing


class FaultLog:
    """Logs exceptions with their tracebacks, each kind once."""

    def __init__(self) -> None:
        self._seen: set[Hashable] = set()

    def note(self, what: str, error: Exception) -> None:
        """Log an exception, unless one of its type was logged for the same failure.

        `what` states what failed, and what happens now.
        """
        kind = what, type(error)
        if kind not in self._seen and len(self._seen) < _KINDS:
            self._seen.add(kind)
            log.error("%s; it is logged once", what, exc_info=error)


def guarded(callback: Callable[[Block], Block]) -> Callable[[Block], Block]:
    """Return a card's callback that returns silence when the given one fails."""
    return partial(_called, callback, FaultLog())


def _called(callback: Callable[[Block], Block], faults: FaultLog, captured: Block) -> Block:
    try:
        played = callback(captured)
        if played.shape != captured.shape:
            raise ValueError(f"the card asked for {captured.shape}, got {played.shape}")
    except Exception as error:
        faults.note("the sound card's callback failed, so the card plays silence", error)
        return silence(len(captured))
    return played
