"""The sound card's callback: it sends captured sound to every peer and mixes the peers' sound.

It is the only real-time part, and it only encodes, queues, pulls, multiplies where a gain is set,
and adds. A failure of one peer's stream, or of our own encoder, is logged and its sound left out:
the sound of and to all others is as before.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterable

import numpy as np

from jamlab.audio.card import SoundCard
from jamlab.audio.guard import FaultLog
from jamlab.audio.mixer import mix
from jamlab.audio.pcm import CHANNELS, Block
from jamlab.media.encoder import EncodedFrame, FrameEncoder
from jamlab.media.playout.playout import Playout
from jamlab.mesh.connection.peer import PeerConnection
from jamlab.mesh.controls import Controls
from jamlab.mesh.sound_tap import Exchange, Tap


def is_finite(block: Block) -> bool:
    """Return whether a block has neither NaN nor infinite samples; fast for sound."""
    energy = np.vdot(block, block)  # one pass, which is infinite for absurdly loud samples too
    return math.isfinite(energy) or bool(np.isfinite(block).all())


class Exchanger:
    """The callback of a service's card.

    The peers are read anew in each callback. `sent_frames` receives the capture position and the
    time of each frame sent, and the taps the sound of each callback.
    """

    def __init__(
        self,
        peers: Iterable[PeerConnection],
        encoder: FrameEncoder,
        controls: Controls,
        sent_frames: deque[tuple[int, float]],
        taps: Iterable[Tap],
    ) -> None:
        self._peers = peers
        self._encoder = encoder
        self._controls = controls
        self._sent_frames = sent_frames
        self._taps = taps
        self._faults = FaultLog()

    def __call__(self, card: SoundCard, captured: Block) -> Block:
        """Send the captured block and return the block to play."""
        peers = [*self._peers]
        sent = self._controls.sent(captured)
        for frame in self._encoded(sent):
            self._sent_frames.append((frame.position, asyncio.get_running_loop().time()))
            for peer in peers:
                self._send(peer, frame)
        heard: dict[str, Block] = {}
        for peer in peers:
            if peer.playout is not None:
                self._play(peer, peer.playout, len(captured), heard, missed=card.too_late)
        for tap in self._taps:
            self._note(tap, Exchange(sent, heard))
        return mix(heard.values(), len(captured))

    def _encoded(self, sent: Block) -> list[EncodedFrame]:
        try:
            return [*self._encoder.push(sent)]
        except Exception as error:
            self._faults.note("our sound cannot be encoded, so none is sent", error)
            return []

    def _note(self, tap: Tap, exchange: Exchange) -> None:
        try:
            tap.note(exchange)
        except Exception as error:
            self._faults.note("the level meters' sound cannot be kept", error)

    def _send(self, peer: PeerConnection, frame: EncodedFrame) -> None:
        try:
            peer.send(frame)
        except Exception as error:
            self._faults.note(f"no sound can be sent to {peer.peer_id!r}", error)

    def _play(
        self,
        peer: PeerConnection,
        playout: Playout,
        frames: int,
        heard: dict[str, Block],
        *,
        missed: bool,
    ) -> None:
        """Add a peer's block to `heard`; nothing when the card is too late or the sound fails."""
        try:
            if missed:
                playout.miss(frames)
            else:
                pulled = self._controls.heard(peer.peer_id, playout.pull(frames))
                if pulled.shape != (frames, CHANNELS) or not is_finite(pulled):
                    raise ValueError(f"its playout buffer did not give {frames} frames of sound")
                heard[peer.peer_id] = pulled
        except Exception as error:
            self._faults.note(f"{peer.peer_id!r} cannot be played, and is silent", error)
