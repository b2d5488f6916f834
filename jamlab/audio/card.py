"""Interface of sound cards, and a virtual sound card that needs no hardware.

A card is full duplex. Once a block, one callback takes the captured block and returns the block to
play, at the time the *card* sets: nothing can make it wait. The virtual card has the timing of a
real one with `periods` playback buffers::

    frame       0        B        2B       3B       4B
    captured    |--- 0 --|--- 1 --|--- 2 --|
    callback             k=0      k=1      k=2
    played                        |--- 0 --|--- 1 --|        (periods = 2)

Block *k* is captured until the callback at frame ``(k+1)·B``, and the block that callback returns
is played from frame ``(k+periods)·B`` on, so the card's own round trip is ``periods·B`` frames, as
on a JACK or ALSA device. A callback that comes after its block should have begun to play is an
*underrun*: the card has played silence, and the block it returns is lost.

After the event loop has stalled, several callbacks are due. The card makes one in each turn of the
loop, not all at once, so that packets sent by one card can arrive before another card plays them:
two participants on two machines do not stall together, and two in one process must not lose sound
because they do. What is overdue after more than `LONGEST_LAG_S` is dropped, as a real card's driver
does: on a busy machine the card would else be late for as long as the load lasts.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from jamlab.audio.guard import FaultLog, guarded
from jamlab.audio.pcm import SAMPLE_RATE, Block, silence

LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES = 16, 4096
"""Lengths of blocks that users may choose."""
LONGEST_LAG_S = 0.5
"""Lag that a virtual card makes up for."""

DuplexCallback: TypeAlias = Callable[[Block], Block]
"""Takes the captured block and returns the block to play, of the same length."""

Source: TypeAlias = Callable[[int, int], Block]
"""Sound at a virtual microphone: ``source(start, frames)``, with `start` in card frames."""


@dataclass(slots=True)
class CardCounters:
    """Counts of a card's callbacks and losses."""

    blocks: int = 0
    """Callbacks made, and those dropped because they were overdue."""
    underruns: int = 0
    """Blocks played as silence because the callback came too late."""
    overruns: int = 0
    """Captured blocks dropped because no callback came for too long; each is an underrun, too."""
    xruns: int = 0
    """Losses reported by a real card's driver."""

    @property
    def underrun_share(self) -> float:
        """Underruns divided by blocks; 0 before the first block."""
        return self.underruns / self.blocks if self.blocks else 0.0


@dataclass(frozen=True, slots=True)
class CardChange:
    """Loss or return of a sound card."""

    there: bool
    reason: str
    """What happened, as a sentence for the user."""
    at_s: float
    """Time of the event loop's clock."""


def ignore_change(change: CardChange) -> None:
    """Ignore a change; the default of `SoundCard.on_change`."""


class MicrophoneUnavailableError(OSError):
    """A card that can play but not capture: no microphone, or no permission to use it."""


class SoundCard(Protocol):
    """Interface of a sound card."""

    block_frames: int
    round_trip_frames: int
    """Latency from capture to playback of the card's own buffers, in frames."""
    counters: CardCounters
    on_change: Callable[[CardChange], None]
    """Called on the event loop when the card is lost and when it is back; not by a virtual card."""

    @property
    def too_late(self) -> bool:
        """Whether the current callback comes too late for its block to be played."""

    def start(self, callback: DuplexCallback, *, capture: bool = True) -> None:
        """Start the callbacks, one a block, on the running event loop.

        Without `capture` the card only plays, and captures silence. Raises
        `MicrophoneUnavailableError` when the card cannot capture; it has not started then.
        """

    def stop(self) -> None:
        """Stop the callbacks. Stopping twice is harmless."""


class Recording:
    """Recording of a virtual card's output, on the card's own timeline.

    It is kept in chunks of a second: a growing array would be copied during the session, and a copy
    of ten seconds takes longer than many blocks.

    With `keep_s`, only that many latest seconds are kept; earlier sound reads as silence.

    Examples
    --------
    >>> from jamlab import Metronome
    >>> recording = Recording()
    >>> recording.write(Metronome().block(0, 480))
    >>> len(recording)
    480
    """

    def __init__(self, keep_s: int | None = None) -> None:
        self._chunks: list[Block] = []
        self._frames = 0
        self._forgotten = 0
        self._keep = None if keep_s is None else keep_s + 1  # the last chunk is not full

    def __len__(self) -> int:
        return self._frames

    def write(self, block: Block) -> None:
        """Append a block."""
        written = 0
        while written < len(block):
            offset = self._frames % SAMPLE_RATE
            if offset == 0:
                self._begin_chunk()
            count = min(SAMPLE_RATE - offset, len(block) - written)
            self._chunks[-1][offset : offset + count] = block[written : written + count]
            self._frames += count
            written += count

    def _begin_chunk(self) -> None:
        self._chunks.append(silence(SAMPLE_RATE))
        if self._keep is not None and len(self._chunks) > self._keep:
            del self._chunks[0]
            self._forgotten += 1

    def block(self, start: int, frames: int) -> Block:
        """Return a copy of a section; silence where nothing was recorded.

        It is a `Source`: with it a microphone captures what a loudspeaker plays.
        """
        stretch = silence(frames)
        position, end = max(start, self._forgotten * SAMPLE_RATE), min(start + frames, self._frames)
        while position < end:
            offset = position % SAMPLE_RATE
            count = min(SAMPLE_RATE - offset, end - position)
            chunk = self._chunks[position // SAMPLE_RATE - self._forgotten]
            stretch[position - start : position - start + count] = chunk[offset : offset + count]
            position += count
        return stretch

    @property
    def pcm(self) -> Block:
        """Copy of the whole recording, shape ``(len(self), 2)``."""
        return self.block(0, self._frames)


def no_sound(start: int, frames: int) -> Block:
    """Return silence: the `Source` of a silent microphone."""
    return silence(frames)


class VirtualCard:
    """A simulated sound card: it has a real card's deadlines, on any event loop.

    Parameters
    ----------
    periods : int
        Playback buffers, 2 or more.
    recording : Recording, optional
        Recording to write the output to.
    skew_ppm : float
        Deviation of the card's clock from its nominal rate, positive when it is fast.

    Raises
    ------
    ValueError
        When a parameter is out of its range.

    Examples
    --------
    >>> from jamlab import Metronome
    >>> card = VirtualCard(Metronome().block, block_frames=128)
    >>> card.round_trip_frames
    256
    """

    def __init__(
        self,
        source: Source = no_sound,
        *,
        block_frames: int = 64,
        periods: int = 2,
        recording: Recording | None = None,
        skew_ppm: float = 0.0,
        microphone: bool = True,
    ) -> None:
        if block_frames < 1 or periods < 2:
            raise ValueError(
                f"a virtual card needs block_frames ≥ 1 and periods ≥ 2, "
                f"not {block_frames} and {periods}"
            )
        self.block_frames = block_frames
        self.round_trip_frames = periods * block_frames
        self.counters = CardCounters()
        self.on_change: Callable[[CardChange], None] = ignore_change
        self.too_late = False
        self.source = source
        self.started_s: float | None = None
        self._slack_frames = (periods - 1) * block_frames
        self._recording = recording
        self._microphone = microphone
        self._frame_s = 1 / (SAMPLE_RATE * (1 + skew_ppm * 1e-6))
        self._callback: DuplexCallback | None = None
        self._faults = FaultLog()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, callback: DuplexCallback, *, capture: bool = True) -> None:
        """Start the callbacks on the running event loop; frame 0 is now.

        Raises `MicrophoneUnavailableError` when the card has no microphone to capture, and
        `RuntimeError` when it was started before: its timeline cannot begin twice.
        """
        if self.started_s is not None:
            raise RuntimeError("this virtual card was started before; make a new one")
        if capture and not self._microphone:
            raise MicrophoneUnavailableError("this virtual card has no microphone: only listen")
        if not capture:
            self.source = no_sound
        loop = asyncio.get_running_loop()
        self._begin(loop.time(), guarded(callback))
        self._schedule(loop)

    def stop(self) -> None:
        """Stop the callbacks. Stopping twice is harmless."""
        if self._timer is not None:
            self._timer.cancel()
        self._callback = self._timer = None

    def frame_at(self, time_s: float) -> float:
        """Return the card's position in frames at a time of the loop's clock."""
        if self.started_s is None:
            raise RuntimeError("this virtual card has not been started, so it has no timeline")
        return (time_s - self.started_s) / self._frame_s

    def time_of(self, frame: float) -> float:
        """Return the time of the loop's clock at which a card frame is captured and played."""
        if self.started_s is None:
            raise RuntimeError("this virtual card has not been started, so it has no timeline")
        return self.started_s + frame * self._frame_s

    @property
    def is_running(self) -> bool:
        """Whether it makes callbacks."""
        return self._callback is not None

    def lag_frames(self, frame: int) -> int:
        """Return the frames that the callbacks have yet to make up to a frame; below 0 if none."""
        return frame - self.counters.blocks * self.block_frames

    # The core: given the time

    def _begin(self, now_s: float, callback: DuplexCallback) -> None:
        self.started_s = now_s
        self._callback = callback
        if self._recording is not None:
            self._recording.write(silence(self.round_trip_frames))

    @property
    def _due_frame(self) -> int:
        return (self.counters.blocks + 1) * self.block_frames

    def _advance(self, now_s: float) -> None:
        """Make the next callback if it is due."""
        if self._callback is not None and self.time_of(self._due_frame) <= now_s:
            if now_s - self.time_of(self._due_frame) > LONGEST_LAG_S:
                self._drop_overdue(now_s)
            self._exchange(self._callback, now_s)

    def _drop_overdue(self, now_s: float) -> None:
        """Drop all blocks but the newest that is due: they are neither captured nor played."""
        dropped = self.lag_frames(int(self.frame_at(now_s))) // self.block_frames - 1
        self.counters.blocks += dropped
        self.counters.underruns += dropped
        self.counters.overruns += dropped
        if self._recording is not None:
            self._recording.write(silence(dropped * self.block_frames))

    def _exchange(self, callback: DuplexCallback, now_s: float) -> None:
        due = self._due_frame
        captured = self._sourced(due - self.block_frames)
        self.counters.blocks += 1
        self.too_late = self.frame_at(now_s) > due + self._slack_frames
        played = callback(captured)
        if self.too_late:
            self.counters.underruns += 1
            played = silence(self.block_frames)
        if self._recording is not None:
            self._recording.write(played)

    def _sourced(self, start: int) -> Block:
        try:
            return self.source(start, self.block_frames)
        except Exception as error:
            self._faults.note("a virtual card's source failed, so the card captures silence", error)
            return silence(self.block_frames)

    # The shell: a timer

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_at(self.time_of(self._due_frame), self._on_timer, loop)

    def _on_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._advance(loop.time())
        finally:
            if self._callback is not None:
                self._schedule(loop)
