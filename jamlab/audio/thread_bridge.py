"""Queues between a sound card's own thread and the event loop.

A card's thread must not wait, and it blocks all other Python threads while it holds the
interpreter. So it only copies: it puts the captured block into one queue, takes the block to play
from another, and notifies the loop. The loop makes the callback in its next turn::

    card's thread      k         k+1        k+2        k+3         frame of the card ▶
    captured       ... k │ ─ k+1 ─ │ ─ k+2 ─ │
    loop                 └▶ callback(k) ─┐
    played                              └▶ at k+slack

The block returned by the callback for block *k* is played `slack` blocks later, so the loop has
that long. If it takes longer, the card has played silence; the late block is then dropped, because
otherwise every stall would lengthen the delay for good.

After a machine has stood still, its card's thread catches up: it comes several times in a row and
finds an empty queue although the loop is at work. So before it plays silence, the thread waits for
a part of its block's time, and no longer.

Both ends of a `collections.deque` and of a `queue.SimpleQueue` may be used by two threads at once
(Python's documentation); the only other shared data are counters with one writer each.
"""

from collections import deque
from queue import Empty, SimpleQueue

from jamlab.audio.card import CardCounters, DuplexCallback
from jamlab.audio.pcm import Block, silence


class ThreadBridge:
    """The two queues of one card.

    The loop has `slack` blocks for a callback, 1 or more. While it stalls, `longest` captured
    blocks, more than `slack`, are kept; if there are more, all that are overdue are dropped and
    counted as *overruns*: one after another, a busy machine would never be in time again.
    `patience_s` is how long the card's thread waits for a block from the loop. Raises `ValueError`
    when a parameter is out of its range.
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
                f"a bridge needs block_frames ≥ 1, slack ≥ 1 and longest > slack, not "
                f"{block_frames}, {slack} and {longest}"
            )
        self.block_frames = block_frames
        self.slack = slack
        self.counters = counters or CardCounters()
        self.too_late = False
        """Whether the current callback comes too late for its block to be played."""
        self._captured: deque[Block] = deque()
        self._to_play: SimpleQueue[Block] = SimpleQueue()
        for _ in range(slack):
            self._to_play.put(silence(block_frames))
        self._longest = longest
        self._patience_s = patience_s
        self.swapped = 0
        """Blocks the card has exchanged."""
        self._silent = 0  # blocks played as silence, written by the card's thread
        self._dropped = 0  # blocks that were not queued for the card, written by the loop

    # The card's thread

    def swap(self, captured: Block) -> Block:
        """Queue a captured block, which the bridge then owns, and return the next block to play."""
        self.swapped += 1
        self._captured.append(captured)
        try:
            return self._to_play.get(timeout=self._patience_s)
        except Empty:
            self._silent += 1
            return silence(self.block_frames)

    # The loop

    def run(self, callback: DuplexCallback) -> int:
        """Make the callbacks that are due, and return their number."""
        done = 0
        self._drop_overdue()
        while self._captured:
            self._exchange(callback, self._captured.popleft())
            done += 1
        return done

    def _drop_overdue(self) -> None:
        """Drop captured blocks that are too old after a stall, and the blocks they would return."""
        if len(self._captured) <= self._longest:
            return
        while len(self._captured) > self.slack:
            self._captured.popleft()
            self.counters.blocks += 1
            self.counters.underruns += 1
            self.counters.overruns += 1
            self._dropped += 1

    def _exchange(self, callback: DuplexCallback, captured: Block) -> None:
        self.counters.blocks += 1
        self.too_late = self._is_late
        played = callback(captured)
        if played.shape != captured.shape:
            raise ValueError(f"the card asked for {captured.shape}, got {played.shape}")
        if self._is_late:  # again, because the callback took time
            self.counters.underruns += 1
            self._dropped += 1
        else:
            self._to_play.put(played)

    @property
    def _is_late(self) -> bool:
        return self._silent > self._dropped
