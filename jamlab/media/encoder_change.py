"""An inaudible switch from one Opus encoder to another in a running stream.

libopus changes its application only with a new state, and a new state has no history: its sound
would begin with silence as long as its look-ahead. So after a change of quality the new encoder
encodes the same sound as the old one for a moment, and its packets are discarded; it takes over
when both end a frame. Opus predicts the band energies of a frame from the frame before (RFC 6716
§4.3.2.1), and the decoder's frame before is the old encoder's, so a sound may be up to 1 dB softer
or louder at the takeover, and is right again 50 ms later. libopus cannot turn the prediction off:
it accepts OPUS_SET_PREDICTION_DISABLED without effect.

Look-aheads differ. A listener is behind the microphone by the encoder's look-ahead, so a switch has
to leave out or to repeat the difference, 4 ms between low latency and high quality. A delay before
the encoder with the shorter look-ahead does that; it is cross-faded in before the takeover, or out
after it. At the takeover itself both encoders are at the same place of the sound, and the
overlapping windows of their frames add up as usual (RFC 6716 §4.3.7)::

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
"""Shortest warm-up of the new encoder: 200 ms, four times the memory of its high-pass filter."""


class EncoderChange:
    """One change of encoder, from the request until the delay has faded out.

    `new` has encoded nothing yet.
    """

    def __init__(self, old: OpusEncoder, new: OpusEncoder) -> None:
        self.new = new
        self._shift = new.lookahead_frames - old.lookahead_frames
        self._sound = silence(0)
        self._driven = 0
        self._taken_over: int | None = None

    @property
    def taken_over(self) -> bool:
        """Whether the new encoder has taken over."""
        return self._taken_over is not None

    @property
    def over(self) -> bool:
        """Whether the change is complete: the new encoder receives the sound unaltered."""
        if self._taken_over is None:
            return False
        return self._shift >= 0 or len(self._sound) >= self._taken_over + FADE_FRAMES

    def feed(self, block: Block) -> Block:
        """Return the next stretch of sound as it has to be encoded: delayed, faded or unaltered."""
        start = len(self._sound)
        self._sound = np.concatenate((self._sound, block))
        share = self._delayed_share(np.arange(start, len(self._sound)))
        if not share.any():
            return block
        return block * (1 - share) + self._delayed(start, len(self._sound)) * share

    def drive(self, frame_frames: int) -> bool:
        """Feed the new encoder in frames of a length; return whether it can take over now."""
        while self._driven + frame_frames <= len(self._sound):
            self.new.encode(self._driving(self._driven, self._driven + frame_frames))
            self._driven += frame_frames
        return self._driven == len(self._sound) >= PRIMING_FRAMES

    def take_over(self) -> OpusEncoder:
        """Return the new encoder, which encodes from the next frame on."""
        self._taken_over = len(self._sound)
        return self.new

    def _driving(self, start: int, stop: int) -> Block:
        """Return the new encoder's input; it fades in, for a sudden start would be audible."""
        sound = self._delayed(start, stop) if self._shift < 0 else self._sound[start:stop]
        return sound * _faded_in(np.arange(start, stop) + min(self._shift, 0))

    def _delayed(self, start: int, stop: int) -> Block:
        """Return a stretch of the delayed sound, which begins with silence."""
        shift = abs(self._shift)
        lacking = min(max(shift - start, 0), stop - start)
        rest = self._sound[start + lacking - shift : stop - shift]
        return np.concatenate((silence(lacking), rest))

    def _delayed_share(self, positions: NDArray[np.int_]) -> NDArray[np.float32]:
        """Return the share of the delayed sound in the encoder's input, shape ``(frames, 1)``."""
        if self._shift > 0 and self._taken_over is None:
            return _faded_in(positions - self._shift)
        if self._shift < 0 and self._taken_over is not None:
            return 1 - _faded_in(positions - self._taken_over)
        return np.zeros((len(positions), 1), dtype=np.float32)


def _faded_in(frames: NDArray[np.int_]) -> NDArray[np.float32]:
    """Return the gain of a fade by frames since its start: 0 to 1, a raised cosine."""
    phase = np.clip((frames + 0.5) / FADE_FRAMES, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)[:, np.newaxis]
