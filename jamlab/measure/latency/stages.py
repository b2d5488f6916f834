"""The stages of a click's latency, from the times both ends noted for the packet that carried it.

::

    captured   frame complete,   arrived    taken by    sounds
       |       encoded, sent        |       the card       |
       |----------|-----------------|----------|-----------|
        frame +      network          playout     card
        capture                                 + look-ahead

*frame* is the Opus frame, *capture* what the card's blocks and the encoder add before it is sent,
*network* everything from the sender's track to the receiver's buffer (queues, SRTP, sockets and the
event loop at both ends), *playout* the wait until the card's request was due (negative where the
callback came late and took a packet that had just arrived), *card* from there to the loudspeaker,
*look-ahead* the codec's own delay, which shifts the sound within the frames. Their sum comes from
clocks and counters alone and is independent of the correlation it is compared with; the difference
is shown as the residual.
"""

from bisect import bisect_right
from dataclasses import astuple, dataclass
from functools import cached_property

from jamlab.audio.card import VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.counters import PlayedPacket
from jamlab.media.rtp import RTP_TIMESTAMPS
from jamlab.mesh.figures import STAGES as STAGES


def floor_ms(sending_frames: int, playing_frames: int) -> float:
    """Return the physical floor of the one-way latency, in milliseconds.

    No network and no computer is faster: the last sample of an Opus frame has to be captured before
    the frame is sent, the codec looks ahead, and the card plays a block after the buffers before
    it. The captured block adds nothing where it ends together with the frame.

    `sending_frames` are the sender's Opus frame and look-ahead; `playing_frames` are those from a
    callback of the receiver's card to its first sample: one block on a virtual card.
    """
    return (sending_frames + playing_frames) / SAMPLE_RATE * 1000


@dataclass(frozen=True, slots=True)
class Stages:
    """Duration of each stage for one packet, in the order of `STAGES`."""

    frame_s: float
    capture_s: float
    network_s: float
    playout_s: float
    card_s: float
    lookahead_s: float

    @property
    def total_s(self) -> float:
        """The sum of all stages: the latency they explain."""
        return float(sum(astuple(self)))


@dataclass(frozen=True)
class StreamTimes:
    """Packet times at both ends of a stream, in one process.

    `sent` has the capture position and the sending time of each frame, in order; `history` the
    played packets. `timestamp_origin` is the RTP timestamp of capture position 0; `playout_origin`
    the frame of the receiver's card, counted in blocks asked for, at which the playout began.
    """

    sent: list[tuple[int, float]]
    history: list[PlayedPacket]
    timestamp_origin: int
    sender_card: VirtualCard
    receiver_card: VirtualCard
    playout_origin: int
    lookahead_s: float

    @cached_property
    def _played(self) -> dict[int, PlayedPacket]:
        return {packet.timestamp: packet for packet in self.history}

    def at(self, position: int) -> Stages | None:
        """Return the stages of the packet that carried a capture position; None if unknown."""
        index = bisect_right(self.sent, position, key=lambda item: item[0]) - 1
        if not 0 <= index < len(self.sent) - 1:
            return None
        (start, sent_s), (end, _) = self.sent[index : index + 2]
        packet = self._played.get((start + self.timestamp_origin) % RTP_TIMESTAMPS)
        return None if packet is None else self._stages(start, end - start, sent_s, packet)

    def _stages(self, start: int, frames: int, sent_s: float, packet: PlayedPacket) -> Stages:
        card = self.receiver_card
        output = self.playout_origin + packet.output_frame
        callback_s = card.time_of((output // card.block_frames + 1) * card.block_frames)
        sounds_s = card.time_of(output + card.round_trip_frames)
        frame_s = frames / SAMPLE_RATE
        return Stages(
            frame_s,
            sent_s - self.sender_card.time_of(start) - frame_s,
            packet.arrival_s - sent_s,
            callback_s - packet.arrival_s,
            sounds_s - callback_s,
            self.lookahead_s,
        )
