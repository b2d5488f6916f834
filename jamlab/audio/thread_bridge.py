"""Between a sound card's own thread and the event loop: blocks handed over, hardly waited for.

A card's thread must not wait, and Python's lets nobody else run while it holds the interpreter. So
that thread only copies: what was captured goes into one queue, what is to be played comes out of
another, and the loop is told. The loop makes the callback when it comes to it::

    card's thread      k         k+1        k+2        k+3         frame of the card ▶
    captured       ... k │ ─ k+1 ─ │ ─ k+2 ─ │
    loop                 └▶ callback(k) ─┐
    played                              └▶ at k+slack

What the callback for block *k* returns is played `slack` blocks later, so the loop has that long.
If it takes longer, the card has played silence: then the block that comes too late is owed to
nobody, and dropped, or every stall would lengthen the delay for good.

A machine that stood still makes its card's thread catch up: it comes several times in a row, and
finds nothing although the loop is at work on it. So before it plays silence that thread waits for
some of its block, which it has to itself, and no longer.

Both ends of a `collections.deque` and of a `queue.SimpleQueue` may be used by two threads at once
(Python's own documentation); nothing else is shared but counters that only one side writes.
"""

from collections import deque
from queue import Empty, SimpleQueue

from jamlab.audio.card import CardCounters, DuplexCallback
from jamlab.audio.pcm import Block, silence


class Relay:
    """The two queues.

    Parameters
    ----------
    block_frames : int
        Length of a block.
    slack : int
        Blocks the loop has for a callback, 1 or more.
    longest : int
        Captured blocks kept for a loop that stalls, more than `slack`; older ones are dropped as
        *overruns*.
    counters : CardCounters, optional
        Where to go on counting.
    patience_s : float
        How long the card's thread waits for a block that is not there yet.

    Raises
    ------
    ValueError
        When a parameter is out of its range.
    """

    def __init__(
        self,
        block_frames: int,
        slack: int = 1,
        longest: int = 256,
        counters: CardCounters | None = None,
        patience_s: float = 0.0,
    ) -> None:
        if block_frames < 1 or slack < 1 or longest <= slack:
            raise ValueError(
                f"a relay needs block_frames ≥ 1, slack ≥ 1 and longest > slack, not "
                f"{block_frames}, {slack} and {longest}"
            )
        self.block_frames = block_frames
        self.slack = slack
        self.counters = counters or CardCounters()
        self.too_late = False
        """During a callback: whether what it returns can no longer be heard."""
        self._captured: deque[Block] = deque()
        self._to_play: SimpleQueue[Block] = SimpleQueue()
        for _ in range(slack):
            self._to_play.put(silence(block_frames))
        self._longest = longest
        self._patience_s = patience_s
        self.swapped = 0
        """Blocks the card has handed over."""
        self._silent = 0  # blocks the card has played as silence, written by its thread
        self._dropped = 0  # blocks that came too late for it, written by the loop

    # The card's thread

    def swap(self, captured: Block) -> Block:
        """Hand a captured block over and take the next to play; the caller keeps neither."""
        self.swapped += 1
        self._captured.append(captured)
        try:
            return self._to_play.get(timeout=self._patience_s)
        except Empty:
            self._silent += 1
            return silence(self.block_frames)

    # The loop

    def run(self, callback: DuplexCallback) -> int:
        """Make the callbacks that are due; returns how many."""
        done = 0
        self._drop_oldest()
        while self._captured:
            self._exchange(callback, self._captured.popleft())
            done += 1
        return done

    def _drop_oldest(self) -> None:
        """Lose what a stalled loop can no longer send; what was owed for it is owed no more."""
        while len(self._captured) > self._longest:
            self._captured.popleft()
            self.counters.overruns += 1
            self._dropped += 1

    def _exchange(self, callback: DuplexCallback, captured: Block) -> None:
        self.counters.blocks += 1
        self.too_late = self._is_late
        played = callback(captured)
        if played.shape != captured.shape:
            raise ValueError(f"the card asked for {captured.shape}, got {played.shape}")
        if self._is_late:  # asked again: it may have become so during the callback
            self.counters.underruns += 1
            self._dropped += 1
        else:
            self._to_play.put(played)

    @property
    def _is_late(self) -> bool:
        return self._silent > self._dropped
