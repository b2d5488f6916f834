"""The card's callback of a service: what it captured goes to every peer, what they sent is mixed.

It is the only real-time part, and it does nothing but encode, queue, pull, multiply where a gain is
set, and add. Whatever fails of one peer, or of our own encoder, is reported and left out: everybody
else is heard, and hears us, as before.
"""

import asyncio
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


class Exchanger:
    """What is done once a block.

    Parameters
    ----------
    peers : iterable of PeerConnection
        The connections that play, at any time.
    encoder : FrameEncoder
        Ours.
    controls : Controls
        Mute and gains.
    sent_frames : deque
        Is given the capture position of each frame sent, and when.
    taps : iterable of Tap
        Who takes what went past.
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
        """Send what the card captured, return what it plays."""
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
            self._faults.note("what was played cannot be shown", error)

    def _send(self, peer: PeerConnection, frame: EncodedFrame) -> None:
        try:
            peer.send(frame)
        except Exception as error:
            self._faults.note(f"nothing can be sent to {peer.peer_id!r}", error)

    def _play(
        self,
        peer: PeerConnection,
        playout: Playout,
        frames: int,
        heard: dict[str, Block],
        *,
        missed: bool,
    ) -> None:
        """Add what is heard of a peer; nothing where the card is too late, or it has no sound."""
        try:
            if missed:
                playout.miss(frames)
            else:
                pulled = self._controls.heard(peer.peer_id, playout.pull(frames))
                if pulled.shape != (frames, CHANNELS) or not np.isfinite(pulled).all():
                    raise ValueError(f"{frames} frames were due, and what came is no sound")
                heard[peer.peer_id] = pulled
        except Exception as error:
            self._faults.note(f"{peer.peer_id!r} cannot be played, and is silent", error)
