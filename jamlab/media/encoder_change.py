"""From one encoder to the next in the middle of a sound, so that nobody hears where.

libopus takes another application only with a new state, and a new state has no past: its sound
would begin with as much silence as it looks ahead. So once another quality is wanted, the new
encoder is driven along with the old one for a moment, and what it encodes is thrown away; it takes
over when both end a frame. The energies of a frame's bands are predicted from those of the frame
before (RFC 6716 §4.3.2.1), and the decoder has had another before, so a sound may be up to 1 dB
softer or louder at the takeover, and is right again 50 ms later. libopus cannot be told not to
predict: it takes OPUS_SET_PREDICTION_DISABLED, and goes on as before.

Look-aheads differ. Whoever listens is as far behind the microphone as the encoder looks ahead, so a
switch has to leave out or to repeat the difference, 4 ms between low latency and high quality. That
is done by a delay before the encoder that looks ahead less, cross-faded in before the new one takes
over or out after it has. At the takeover itself both are at the same place of the sound, and the
overlapping windows of their frames add up as ever (RFC 6716 §4.3.7)::

    to more      sound ─────────▶ old            to less      sound ──────────▶ old
    look-ahead   ─ fade ─▶ delay ▶ old           look-ahead   delay ──────────▶ new
                 sound ─────────▶ new                         ─ fade ─▶ sound ▶ new
"""

import numpy as np
from numpy.typing import NDArray

from jamlab.audio.pcm import Block, silence
from jamlab.media.opus import OpusEncoder

FADE_FRAMES = 480
"""Length of the cross-fade: 10 ms."""
PRIMING_FRAMES = 9600
"""How long the new encoder is driven at least: 200 ms, four times what its high-pass remembers."""


class EncoderChange:
    """One change of encoder, from when it is wanted until no trace of it is left.

    Parameters
    ----------
    old, new : OpusEncoder
        Who encodes now, and who will; the new one has encoded nothing yet.
    """

    def __init__(self, old: OpusEncoder, new: OpusEncoder) -> None:
        self.new = new
        self._shift = new.lookahead_frames - old.lookahead_frames
        self._sound = silence(0)
        self._driven = 0
        self._taken_over: int | None = None

    @property
    def taken_over(self) -> bool:
        """Whether the new encoder is at work."""
        return self._taken_over is not None

    @property
    def over(self) -> bool:
        """Whether sound goes to the new encoder as it is."""
        if self._taken_over is None:
            return False
        return self._shift >= 0 or len(self._sound) >= self._taken_over + FADE_FRAMES

    def feed(self, block: Block) -> Block:
        """Return what is to be encoded in the place of the next stretch of sound."""
        start = len(self._sound)
        self._sound = np.concatenate((self._sound, block))
        share = self._delayed_share(np.arange(start, len(self._sound)))
        if not share.any():
            return block
        return block * (1 - share) + self._delayed(start, len(self._sound)) * share

    def drive(self, frame_frames: int) -> bool:
        """Drive the new encoder on, in frames of a length; returns whether it can take over now."""
        while self._driven + frame_frames <= len(self._sound):
            self.new.encode(self._driving(self._driven, self._driven + frame_frames))
            self._driven += frame_frames
        return self._driven == len(self._sound) >= PRIMING_FRAMES

    def take_over(self) -> OpusEncoder:
        """Return the new encoder; the next frame is its own."""
        self._taken_over = len(self._sound)
        return self.new

    def _driving(self, start: int, stop: int) -> Block:
        """Return what the new encoder is driven with: it would hear where that begins."""
        sound = self._delayed(start, stop) if self._shift < 0 else self._sound[start:stop]
        return sound * _faded_in(np.arange(start, stop) + min(self._shift, 0))

    def _delayed(self, start: int, stop: int) -> Block:
        """Return a stretch of the delayed sound; before it there is silence."""
        shift = abs(self._shift)
        lacking = min(max(shift - start, 0), stop - start)
        rest = self._sound[start + lacking - shift : stop - shift]
        return np.concatenate((silence(lacking), rest))

    def _delayed_share(self, positions: NDArray[np.int_]) -> NDArray[np.float32]:
        """Return how much of what is encoded is the delayed sound, shape ``(frames, 1)``."""
        if self._shift > 0 and self._taken_over is None:
            return _faded_in(positions - self._shift)
        if self._shift < 0 and self._taken_over is not None:
            return 1 - _faded_in(positions - self._taken_over)
        return np.zeros((len(positions), 1), dtype=np.float32)


def _faded_in(frames: NDArray[np.int_]) -> NDArray[np.float32]:
    """Return how far a fade has come so many frames after it began: 0 to 1, a raised cosine."""
    phase = np.clip((frames + 0.5) / FADE_FRAMES, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)[:, np.newaxis]
