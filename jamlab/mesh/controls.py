"""A participant's controls: its own mute, and the gain of each peer.

Both are gains on samples. A muted participant sends silence, like a browser's track that is not
``enabled`` (W3C Media Capture and Streams §4.3.1): packets continue, so connections stay as they
are. A change of gain is ramped over one block of the card, because a step would click. At 0 dB
nothing is computed.
"""

import math

import numpy as np

from jamlab.audio.levels import amplitude_of
from jamlab.audio.pcm import Block, silence

MIN_GAIN_DB, MAX_GAIN_DB = -60.0, 12.0
"""Range of a gain; −∞ dB, which is silence, is allowed as well."""


class GainError(ValueError):
    """A gain is out of its range."""


class Fader:
    """The gain of one stream."""

    def __init__(self) -> None:
        self.gain_db = 0.0
        self._reached = self._wanted = 1.0

    def set(self, gain_db: float) -> None:
        """Set the gain from the next block on; ``-math.inf`` is silence.

        Raises `GainError` for any other outside `MIN_GAIN_DB` to `MAX_GAIN_DB`.
        """
        if not (gain_db == -math.inf or MIN_GAIN_DB <= gain_db <= MAX_GAIN_DB):
            raise GainError(
                f"the gain is {gain_db:g} dB: choose {MIN_GAIN_DB:g} to {MAX_GAIN_DB:g}, or -inf"
            )
        self.gain_db = gain_db
        self._wanted = amplitude_of(gain_db)

    def apply(self, block: Block) -> Block:
        """Return a block with the gain applied; at 0 dB the block itself."""
        if self._reached != self._wanted:
            return self._ramped(block)
        if self._reached == 1.0:
            return block
        if self._reached == 0.0:
            return silence(len(block))
        return block * np.float32(self._reached)

    def _ramped(self, block: Block) -> Block:
        ramp = np.linspace(self._reached, self._wanted, len(block) + 1, dtype=np.float32)[1:]
        if len(block):
            self._reached = self._wanted
        return block * ramp[:, np.newaxis]


class Controls:
    """Mute and gains of one participant; a peer's gain outlives its connections."""

    def __init__(self) -> None:
        self._microphone = Fader()
        self._peers: dict[str, Fader] = {}

    @property
    def muted(self) -> bool:
        """Whether silence is sent."""
        return self._microphone.gain_db == -math.inf

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._microphone.set(-math.inf if muted else 0.0)

    def gain_db(self, peer_id: str) -> float:
        """Return a peer's gain in dB, 0 by default."""
        fader = self._peers.get(peer_id)
        return 0.0 if fader is None else fader.gain_db

    def set_gain(self, peer_id: str, gain_db: float) -> None:
        """Set a peer's gain, connected or not; raises as `Fader.set`."""
        fader = self._peers.get(peer_id, Fader())
        fader.set(gain_db)
        self._peers[peer_id] = fader

    # In the card's callback

    def sent(self, captured: Block) -> Block:
        """Return the block to send for a captured block."""
        return self._microphone.apply(captured)

    def heard(self, peer_id: str, block: Block) -> Block:
        """Return a peer's block with its gain applied."""
        fader = self._peers.get(peer_id)
        return block if fader is None else fader.apply(block)
