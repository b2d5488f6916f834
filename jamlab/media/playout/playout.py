"""The deadline buffer: packets in as the network brings them, blocks out when the card asks.

Theory of operation
-------------------
Positions are RTP timestamps without their wrap-around. The card's clock is the number of frames
pulled so far, so nothing here reads a clock or sleeps. A sample at position *p* that is played as
frame *n* of the card has the *delay* ``n - p``: constant while nothing is inserted or removed.

A packet is in time when it is there at the pull that first needs it. Seen at the first pull after
its arrival, when *n* frames have been pulled, a packet at position *p* *needs* the delay ``n - p``
or more. That figure contains everything that made the packet wait to be playable (the sender's
blocks, the network, this process' lag, the card's blocks), it needs no clock of the sender's, and
it exists for late packets too. A lost packet never arrives, so it never asks for more delay: loss
does not raise latency. `DelayEstimator` turns the figures into a target.

What the card could not play, because our own process came too late with it, no delay can mend. The
line of play passes over it (`Playout.miss`), and packets due within it ask for nothing.

Two rules follow. A packet that is missing at its deadline is concealed, and dropped if it comes
later: the line of play never waits. And the delay moves towards its target only by splices, a few
samples cross-faded out of or into a decoded frame.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE, Block, silence
from jamlab.media.opus import CorruptPacketError
from jamlab.media.playout.counters import PlayedPacket, PlayoutCounters
from jamlab.media.playout.delay import DelayEstimator
from jamlab.media.playout.splice import lengthen, longest_splice, shorten
from jamlab.media.quality import FRAME_LENGTHS

FARTHEST = 1 * SAMPLE_RATE
"""A packet further than this from the line of play belongs to another timeline (RFC 3550 A.1)."""

_CONCEAL_MAX = SAMPLE_RATE // 10
_SURPLUS_MAX = SAMPLE_RATE // 10  # more delay than that is not spliced out but skipped
HISTORY_S = 40.0
"""How long it is remembered what became of packets."""

_BUFFERED = 1024  # packets; twice the most that lie within `FARTHEST` of the line of play


class Decoder(Protocol):
    """What the buffer asks of a codec; `jamlab.media.opus.OpusDecoder` is one."""

    def decode(self, payload: bytes) -> Block:
        """Decode one packet, or raise `CorruptPacketError`."""

    def conceal(self, frames: int) -> Block:
        """Invent the next `frames` frames."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet whose numbers do not wrap around."""

    position: int
    sequence: int
    payload: bytes
    arrival_s: float


class Playout:
    """One remote stream between its packets and the card.

    Parameters
    ----------
    decoder : Decoder
        A codec of its own: concealment continues what it decoded last.
    estimator : DelayEstimator, optional
        Who sets the target delay.
    history_s : float
        How long `history` goes back, at least.
    """

    def __init__(
        self,
        decoder: Decoder,
        estimator: DelayEstimator | None = None,
        history_s: float = HISTORY_S,
    ) -> None:
        self.counters = PlayoutCounters()
        self.history: deque[PlayedPacket] = deque(maxlen=packets_in(history_s))
        self._decoder = decoder
        self._estimator = estimator or DelayEstimator()
        self._packets: dict[int, Packet] = {}
        self._arrived: deque[Packet] = deque(maxlen=_BUFFERED)
        self._played: deque[int] = deque(maxlen=_BUFFERED)
        self._stray_sequence: int | None = None  # of the packet before this one, if it strayed
        self._next: int | None = None  # position of the next sample to decode
        self._excused: int | None = None  # what is due before it was missed by the card
        self._newest: Packet | None = None
        self._last_sequence: int | None = None
        self._ready: Block = silence(0)
        self._frame_frames, self._expected_frames = 240, 0
        self._concealed_run = 0
        self._pulled = 0

    @property
    def delay_frames(self) -> int | None:
        """Frames from a sample's timestamp to the card frame it is played as, up to a constant.

        None before the first packet. Only differences mean anything: the constant is the distance
        between the sender's timestamps and the card's frame count.
        """
        if self._next is None:
            return None
        return self._pulled - (self._next - len(self._ready))

    @property
    def pulled_frames(self) -> int:
        """Frames the card has taken so far, or missed: its clock."""
        return self._pulled

    @property
    def frame_frames(self) -> int | None:
        """Length of the sender's frames, that of the last one decoded; None before the first."""
        return self._frame_frames if self.counters.decoded else None

    def receive(self, sequence: int, timestamp: int, payload: bytes, arrival_s: float) -> None:
        """Take one packet from the network.

        Parameters
        ----------
        sequence : int
            RTP sequence number, 16 bits.
        timestamp : int
            RTP timestamp at 48 kHz, 32 bits.
        payload : bytes
            One Opus packet.
        arrival_s : float
            When it came, by any clock; kept for `history`, decides nothing.
        """
        self.counters.received += 1
        packet = self._unwrap(sequence, timestamp, payload, arrival_s)
        if self._newest is not None and abs(packet.position - self._line) > FARTHEST:
            self._stray(packet)
            return
        self._stray_sequence = None
        self._admit(packet)

    def pull(self, frames: int) -> Block:
        """Return what the card plays next; never waits, never returns less.

        Parameters
        ----------
        frames : int
            Length of the card's block.

        Returns
        -------
        Block
            Shape ``(frames, 2)``.
        """
        self._observe_arrivals()
        while len(self._ready) < frames:
            self._ready = np.concatenate((self._ready, self._produce(frames - len(self._ready))))
        block, self._ready = self._ready[:frames], self._ready[frames:]
        self._pulled += frames
        return block

    def expect(self, frame_frames: int) -> None:
        """Prepare for longer frames, which the sender has announced, before the first is late.

        Parameters
        ----------
        frame_frames : int
            Length of the frames to come; shorter ones need no preparation.
        """
        longer = frame_frames - max(self._frame_frames, self._expected_frames)
        if longer > 0 and self._next is not None:
            self._observe_arrivals()
            self._estimator.shift(longer)
        self._expected_frames = frame_frames

    def miss(self, frames: int) -> None:
        """Let pass what the card plays as silence, because it was called too late.

        Parameters
        ----------
        frames : int
            Length of the card's block.
        """
        counters = self.counters
        concealed_before = counters.concealed_frames
        self.pull(frames)
        unheard = min(counters.concealed_frames - concealed_before, frames)
        counters.concealed_frames -= unheard
        counters.unheard_frames += unheard
        counters.missed_frames += frames
        if self._next is not None:
            self._excused = self._next - len(self._ready)

    # Packets

    def _unwrap(self, sequence: int, timestamp: int, payload: bytes, arrival_s: float) -> Packet:
        """Continue the newest packet's numbers past the wrap-around, to the nearest that fits."""
        newest = self._newest
        if newest is None:
            return Packet(timestamp, sequence, payload, arrival_s)
        position = newest.position + _signed(timestamp - newest.position, 32)
        extended = newest.sequence + _signed(sequence - newest.sequence, 16)
        return Packet(position, extended, payload, arrival_s)

    @property
    def _line(self) -> int:
        """The position packets are measured against: the line of play, or the newest packet."""
        if self._next is not None:
            return self._next
        return self._newest.position if self._newest else 0

    def _admit(self, packet: Packet) -> None:
        overdue = self._next is not None and packet.position < self._next
        if packet.position in self._packets or (overdue and packet.position in self._played):
            self.counters.duplicated += 1
            return
        self._arrived.append(packet)
        if self._newest is None or packet.position > self._newest.position:
            self._newest = packet
        else:
            self.counters.reordered += 1
        if overdue:
            self.counters.late += 1
            return
        self._packets[packet.position] = packet
        if len(self._packets) > _BUFFERED:  # nobody pulls, or somebody floods us
            self.counters.late += 1
            del self._packets[min(self._packets)]

    def _stray(self, packet: Packet) -> None:
        """Two strays that follow each other are a sender that started anew (RFC 3550 A.1)."""
        if self._stray_sequence is not None and packet.sequence == self._stray_sequence + 1:
            self._restart(packet)
        else:
            self.counters.strayed += 1
            self._stray_sequence = packet.sequence

    def _restart(self, packet: Packet) -> None:
        self.counters.restarted += 1
        self.counters.strayed += len(self._packets)
        self._packets.clear()
        self._arrived.clear()
        self._played.clear()
        self._estimator.reset()
        self._next = self._newest = self._last_sequence = self._stray_sequence = None
        self._excused = None
        self._admit(packet)

    # The line of play

    def _observe_arrivals(self) -> None:
        if self._next is None and self._arrived:
            self._begin(max(self._arrived, key=lambda packet: packet.position))
        for packet in self._arrived:
            if self._excused is None or packet.position >= self._excused:
                self._estimator.observe(self._pulled, self._needed(packet))
        self._arrived.clear()

    def _needed(self, packet: Packet) -> int:
        """Return the delay a packet needed that came since the last pull."""
        return self._pulled - packet.position

    def _begin(self, newest: Packet) -> None:
        """Begin a line of play; what waited longer than the newest packet waited for the card."""
        self._arrived.clear()
        self._estimator.observe(self._pulled, self._needed(newest))
        self._next = self._pulled + len(self._ready) - self._estimator.target_frames
        self._advance(0)

    def _produce(self, lacking: int) -> Block:
        """Return the next stretch of sound, of any length above 0; silence no longer than asked."""
        if self._next is None:
            self.counters.waiting_frames += lacking
            return silence(lacking)
        self._skip_surplus()
        packet = self._packets.pop(self._next, None)
        if packet is None:
            return self._fill_gap(lacking)
        try:
            block = self._decoder.decode(packet.payload)
        except CorruptPacketError:
            self.counters.corrupt += 1
            return self._fill_gap(lacking)
        return self._play(packet, block)

    def _skip_surplus(self) -> None:
        """Jump where splices would take seconds: after a freeze there is no sound to preserve."""
        assert self.delay_frames is not None
        surplus = self.delay_frames - self._estimator.target_frames
        if surplus > _SURPLUS_MAX:
            self.counters.skipped_frames += surplus
            self._advance(surplus)

    def _play(self, packet: Packet, block: Block) -> Block:
        self.counters.decoded += 1
        self.counters.played_frames += len(block)
        self._frame_frames = len(block)
        if len(block) >= self._expected_frames:
            self._expected_frames = 0  # it has come; the next announcement is of another
        self._concealed_run = 0
        self._last_sequence = packet.sequence
        self._played.append(packet.position)
        self.history.append(
            PlayedPacket(packet.position % (1 << 32), packet.arrival_s, self._output_frame())
        )
        spliced = self._spliced(block)
        self._advance(len(block))
        return spliced

    def _output_frame(self) -> int:
        """Return the frame of the card at which what is produced next begins to be played."""
        return self._pulled + len(self._ready)

    def _advance(self, frames: int) -> None:
        assert self._next is not None
        self._next += frames
        for position in [p for p in self._packets if p < self._next]:
            self.counters.late += 1
            del self._packets[position]

    def _fill_gap(self, lacking: int) -> Block:
        """Bridge to the next packet there is: what is invented by frames, silence as asked."""
        assert self._next is not None
        following = min(self._packets.values(), key=lambda p: p.position, default=None)
        gap = self._frame_frames if following is None else following.position - self._next
        if self._last_sequence is None:
            return self._wait(min(gap, lacking))
        if following is not None and following.sequence == self._last_sequence + 1:
            return self._be_silent(min(gap, lacking))
        return self._conceal(min(gap, self._frame_frames))

    def _wait(self, frames: int) -> Block:
        self.counters.waiting_frames += frames
        self._advance(frames)
        return silence(frames)

    def _be_silent(self, frames: int) -> Block:
        self.counters.silent_frames += frames
        self._advance(frames)
        return silence(frames)

    def _conceal(self, frames: int) -> Block:
        """Let the codec continue the sound; after 100 ms without a packet, be silent.

        Where the target has outgrown the delay by a frame, the line of play stands still meanwhile,
        and by less, what is invented is stretched: a stream whose every packet is late would
        otherwise never be heard again.
        """
        self.counters.concealed_frames += frames
        self._concealed_run += frames
        assert self.delay_frames is not None
        codec_silent = self._concealed_run > _CONCEAL_MAX or frames % FRAME_LENGTHS[0]
        block = silence(frames) if codec_silent else self._decoder.conceal(frames)
        if self._estimator.target_frames - self.delay_frames >= frames:
            return block
        spliced = self._spliced(block)
        self._advance(frames)
        return spliced

    def _spliced(self, block: Block) -> Block:
        """Move the delay towards its target, as far as one frame allows."""
        limit = longest_splice(len(block))
        change = max(-limit, min(limit, self._correction()))
        if change > 0:
            self.counters.inserted_frames += change
            return lengthen(block, change)
        if change < 0:
            self.counters.removed_frames -= change
            return shorten(block, -change)
        return block

    def _correction(self) -> int:
        """Return by how many frames the delay should change now."""
        assert self.delay_frames is not None
        return self._estimator.correction(self._pulled, self.delay_frames)


def packets_in(seconds: float) -> int:
    """Return how many packets there are in so long, of the shortest frames."""
    return math.ceil(seconds * SAMPLE_RATE / FRAME_LENGTHS[0])


def _signed(difference: int, bits: int) -> int:
    """Read a difference modulo ``2**bits`` as the nearest signed one."""
    half = 1 << (bits - 1)
    return (difference + half) % (1 << bits) - half
