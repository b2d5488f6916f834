"""A virtual sound card that notes when the peer is first heard, and then saves processor time.

Its microphone captures a tone while somebody can hear it. The block that a callback returns is
played one block later, as by `jamlab.audio.card.VirtualCard`; the first frame above `HEARD` is the
first sound. It does not keep the card's deadlines, so it is for virtual time alone.

A session costs processor time for every packet, and ten times as much for a tone as for silence, so
the tone is captured only while there is somebody to send it to. Once both ends have heard each
other, only the path matters: `spare` makes callbacks rare and silent, with packets often enough
that nobody takes the peer for gone.
"""

import asyncio
import math
from collections.abc import Callable

import numpy as np

from jamlab.audio.card import CardChange, CardCounters, DuplexCallback, ignore_change
from jamlab.audio.pcm import SAMPLE_RATE, Block, silence

BLOCK_FRAMES = 960
HEARD = 0.01
"""Sample value above which there is sound: a tenth of the tone's amplitude."""
SPARING_S = 0.2
"""Interval of the callbacks of a card that spares."""

_BLOCK_S = BLOCK_FRAMES / SAMPLE_RATE
_PERIODS = 9  # whole ones in a block, so every block of the tone is the same: 450 Hz
_ANGLES = 2 * np.pi * _PERIODS * np.arange(BLOCK_FRAMES) / BLOCK_FRAMES
TONE: Block = np.repeat((0.1 * np.sin(_ANGLES)).astype(np.float32)[:, None], 2, axis=1)
SILENCE = silence(BLOCK_FRAMES)


class FirstSoundCard:
    """A sound card on a virtual clock, with blocks of 20 ms and two playback buffers.

    `sent_to` returns whether there is anybody to send the tone to.
    """

    block_frames = BLOCK_FRAMES
    round_trip_frames = 2 * BLOCK_FRAMES
    too_late = False

    def __init__(self, sent_to: Callable[[], bool]) -> None:
        self.counters = CardCounters()
        self.on_change: Callable[[CardChange], None] = ignore_change
        self.first_sound_s = math.nan
        """When the first sound is played, by the loop's clock; NaN before that is known."""
        self._sent_to = sent_to
        self._every_s = _BLOCK_S
        self._timer: asyncio.TimerHandle | None = None

    @property
    def heard(self) -> bool:
        """Whether there was sound."""
        return not math.isnan(self.first_sound_s)

    def start(self, callback: DuplexCallback, *, capture: bool = True) -> None:
        """Start the callbacks on the running event loop; the microphone is never missing."""
        loop = asyncio.get_running_loop()

        def exchange() -> None:
            self._timer = loop.call_later(self._every_s, exchange)
            self.counters.blocks += 1
            is_tone = self._every_s == _BLOCK_S and self._sent_to()
            self._listen(callback(TONE if is_tone else SILENCE), loop.time())

        self._timer = loop.call_later(self._every_s, exchange)

    def stop(self) -> None:
        """Stop the callbacks. Stopping twice is harmless."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def spare(self) -> None:
        """Make callbacks rare, and capture silence, from the next one on."""
        self._every_s = SPARING_S

    def _listen(self, played: Block, now_s: float) -> None:
        if self.heard or played.max() <= HEARD:  # most blocks are silent, and this is quick
            return
        (sounding,) = np.nonzero(played.max(axis=1) > HEARD)
        self.first_sound_s = now_s + _BLOCK_S + float(sounding[0]) / SAMPLE_RATE
