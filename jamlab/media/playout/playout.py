"""The playout buffer: takes packets as they arrive, returns blocks when the card asks.

Theory of operation
-------------------
Positions are RTP timestamps without their wrap-around. The clock is the number of frames pulled so
far, so nothing here reads a clock or sleeps. A sample at position *p* that is played as frame *n*
has the *delay* ``n - p``: constant while nothing is inserted or removed. Where the card's rate is
not the sender's, a `CardRate` makes the card's blocks, and *n* counts the frames that it has
pulled.

A packet is in time if it has arrived by the pull that first needs it. At the first pull after its
arrival, when *n* frames have been pulled, a packet at position *p* *needs* the delay ``n - p`` or
more. That figure contains every wait of the packet (the sender's blocks, the network, this process'
lag, the card's blocks), it does not depend on the sender's clock, and it exists for late packets
too. A lost packet never arrives, so it never asks for more delay: loss does not raise latency. One
that comes as a redundant copy in a later packet asks for the delay of that (`Playout.recover`).
`DelayController` turns the figures into a target.

A missing packet may be one that was never sent: a sender that is silent or muted leaves a gap in
the timestamps and none in the sequence numbers (RFC 7587 §3.1.3). That shows when the next packet
has come, so what was concealed meanwhile is counted as silence then.

No delay can save a block that the card did not play because our own process was late with it. The
line of play passes over the block (`Playout.miss`), and packets due within it ask for no delay.

Two rules follow. A packet that is missing at its deadline is concealed, and if it comes later, its
concealed part is dropped: the line of play never waits. And the delay moves towards its target only
by splices, which cross-fade a few samples out of or into a decoded frame.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE, Block, silence
from jamlab.media.opus import LONGEST_PACKET, CorruptPacketError
from jamlab.media.playout.counters import PlayedPacket, PlayoutCounters
from jamlab.media.playout.delay import DelayController
from jamlab.media.playout.packets import Packet, PacketBuffer
from jamlab.media.playout.rate import CardRate, SameRate
from jamlab.media.playout.splice import lengthen, longest_splice, most_similar, shorten
from jamlab.media.quality import FRAME_LENGTHS
from jamlab.media.rtp import RTP_TIMESTAMPS

_UNPLAYED_MOST = 1024  # packets between which pauses are found; more than arrive in 2 s
_CONCEAL_MAX = SAMPLE_RATE // 10
SURPLUS_MAX_FRAMES = SAMPLE_RATE // 10  # a greater surplus of delay is skipped, not spliced out
HISTORY_S = 40.0


class Decoder(Protocol):
    """The interface of a decoder, such as `jamlab.media.opus.OpusDecoder`."""

    def decode(self, payload: bytes) -> Block:
        """Decode one packet, or raise `CorruptPacketError`."""

    def conceal(self, frames: int) -> Block:
        """Return `frames` frames of concealment."""


class Playout:
    """The playout buffer of one remote stream, between its packets and the card.

    The decoder is for this stream alone: concealment continues the last decoded sound. `history_s`
    is the least length of `history`; by default the card's rate is the sender's.
    """

    def __init__(
        self,
        decoder: Decoder,
        estimator: DelayController | None = None,
        history_s: float = HISTORY_S,
        rate: CardRate | None = None,
    ) -> None:
        self.counters = PlayoutCounters()
        self.on_packet: Callable[[int, int, int, float], None] | None = None
        """Gets sequence number, RTP timestamp, length and arrival of every packet; None: nobody."""
        self.history: deque[PlayedPacket] = deque(maxlen=packets_in(history_s))
        self._decoder = decoder
        self._estimator = estimator or DelayController()
        self._rate = rate or SameRate()
        self._buffer = PacketBuffer(self.counters)
        self._excused: int | None = None  # packets before this position were missed by the card
        self._last_sequence: int | None = None
        self._ready: Block = silence(0)
        self._frame_frames, self._expected_frames = 240, 0
        self._concealed_run = 0
        self._played_until = 0  # position after the last played packet
        self._coming: deque[Packet] = deque(maxlen=_UNPLAYED_MOST)  # arrived, after that one
        self._undecided_frames = 0
        self._pulled = 0

    @property
    def delay_frames(self) -> int | None:
        """Frames from a sample's timestamp to the card frame that plays it, up to a constant.

        None before the first packet. Only differences are meaningful: the constant is the distance
        between the sender's timestamps and the card's frame count.
        """
        if self._buffer.line is None:
            return None
        return self._pulled - (self._buffer.line - len(self._ready))

    @property
    def pulled_frames(self) -> int:
        """Frames the card has played or missed so far: its clock."""
        return self._rate.card_frames

    @property
    def drift(self) -> float | None:
        """Frames the sender's card gains for each frame of ours; None while unknown."""
        return self._rate.drift

    @property
    def frame_frames(self) -> int | None:
        """Length of the last decoded frame; None before the first."""
        return self._frame_frames if self.counters.decoded else None

    @property
    def added_frames(self) -> int:
        """Frames of the present delay that were added by `add_delay`: they come by and by."""
        added = self._estimator.added_frames
        return max(0, min(self._surplus() + added, added))

    def add_delay(self, frames: int) -> None:
        """Hear the sender by so many frames later than its packets allow, 0 or more."""
        self._estimator.added_frames = frames

    @property
    def undecided_frames(self) -> int:
        """Frames concealed since the last packet: lost, or never sent; the next packet tells."""
        return self._undecided_frames

    def receive(self, sequence: int, timestamp: int, payload: bytes, arrival_s: float) -> None:
        """Take one Opus packet from the network; the RTP timestamp counts at 48 kHz.

        The time of arrival is by any clock, and only recorded in `history`.
        """
        if self.on_packet is not None:
            self.on_packet(sequence, timestamp, len(payload), arrival_s)
        self.counters.received += 1
        packet = self._buffer.unwrap(sequence, timestamp, payload, arrival_s)
        if self._buffer.is_stray(packet):
            if not self._buffer.begins_anew(packet):
                return
            self._restart()
        self._rate.observe(packet)
        self._buffer.add(packet)

    def recover(self, sequence: int, timestamp: int, payload: bytes, arrival_s: float) -> None:
        """Take the redundant copy of an earlier packet (RFC 2198), which counts if that was lost.

        `timestamp` is the lost packet's. A copy needs more delay than its packet did: that of the
        packet that carries it. So the delay becomes long enough for repairs, if losses are frequent
        enough to count. The cards' drift is found from packets of their own.
        """
        copy = self._buffer.unwrap(sequence, timestamp, payload, arrival_s)
        if self._buffer.lacks(copy):
            self.counters.received += 1
            self.counters.recovered += 1
            self._buffer.add(copy)

    def pull(self, frames: int) -> Block:
        """Return the card's next block, shape ``(frames, 2)``; never wait, never return less."""
        block, mended, stopped = self._rate.read(frames, self._take, self._surplus)
        self._pulled -= mended
        if stopped:
            self._estimator.shift(-stopped)
        return block

    def expect(self, frame_frames: int) -> None:
        """Raise the delay for frames that the sender has announced, if they are longer."""
        longer = frame_frames - max(self._frame_frames, self._expected_frames)
        if longer > 0 and self._buffer.line is not None:
            self._observe_arrivals()
            self._estimator.shift(longer)
        self._expected_frames = frame_frames

    def miss(self, frames: int) -> None:
        """Pass over a block that the card plays as silence, because our process was late."""
        counters = self.counters
        concealed_before = counters.concealed_frames
        self.pull(frames)
        unheard = max(0, min(counters.concealed_frames - concealed_before, frames))
        self._undecided_frames = max(0, self._undecided_frames - unheard)
        counters.concealed_frames -= unheard
        counters.unheard_frames += unheard
        counters.missed_frames += frames
        if self._buffer.line is not None:
            self._excused = self._buffer.line - len(self._ready)

    def _restart(self) -> None:
        """Forget the sender's timeline; a new one begins."""
        self._count_as_silent(self._undecided_frames)
        self._undecided_frames = 0
        self._coming.clear()
        self._buffer.restart()
        self._estimator.reset()
        self._rate.reset()
        self._last_sequence = self._excused = None

    # The line of play

    def _take(self, frames: int) -> Block:
        """Return the sender's next frames."""
        self._observe_arrivals()
        while (lacking := frames - len(self._ready)) > 0:
            produced = self._produce(lacking)
            left = self._ready
            self._ready = np.concatenate((left, produced)) if len(left) else produced
        block, self._ready = self._ready[:frames], self._ready[frames:]
        self._pulled += frames
        return block

    def _surplus(self) -> int:
        """Return the frames of delay above the target; 0 before the first packet."""
        delay = self.delay_frames
        return 0 if delay is None else delay - self._estimator.target_frames

    def _observe_arrivals(self) -> None:
        arrived = self._buffer.arrived
        if not arrived:
            return
        if self._buffer.line is None:
            self._begin(max(arrived, key=lambda packet: packet.position))
        for packet in arrived:
            self._coming.append(packet)
            if self._excused is None or packet.position >= self._excused:
                self._estimator.observe(self._pulled, self._needed(packet))
        arrived.clear()

    def _needed(self, packet: Packet) -> int:
        """Return the delay needed by a packet that arrived since the last pull."""
        return self._pulled - packet.position + self._rate.allowance(packet)

    def _begin(self, newest: Packet) -> None:
        """Begin a line of play at the newest packet's delay; others only waited for the card."""
        self._buffer.arrived.clear()
        self._estimator.observe(self._pulled, self._needed(newest))
        self._buffer.line = self._pulled + len(self._ready) - self._estimator.target_frames
        self._buffer.advance(0)

    def _produce(self, lacking: int) -> Block:
        """Return the next stretch of sound, longer than 0; silence is at most `lacking` long."""
        if self._buffer.line is None:
            self.counters.waiting_frames += lacking
            return silence(lacking)
        self._skip_surplus()
        packet = self._buffer.take_due()
        if packet is None:
            return self._fill_gap(lacking)
        try:
            block = self._decoder.decode(packet.payload)
        except CorruptPacketError:
            self.counters.corrupt += 1
            return self._fill_gap(lacking)
        if len(block) <= self._buffer.line - packet.position:  # shorter than those before it
            self.counters.late += 1
            return self._fill_gap(lacking)
        return self._play(packet, block)

    def _skip_surplus(self) -> None:
        """Skip a large surplus at once: after a freeze, splices would preserve no sound."""
        surplus = self._surplus()
        if surplus > SURPLUS_MAX_FRAMES:
            self.counters.skipped_frames += surplus
            self._buffer.advance(surplus)

    def _play(self, packet: Packet, block: Block) -> Block:
        """Return the sound of a packet from the line of play on."""
        assert self._buffer.line is not None
        overdue = self._buffer.line - packet.position
        self.counters.decoded += 1
        self.counters.played_frames += len(block) - overdue
        self._frame_frames = len(block)
        if len(block) >= self._expected_frames:
            self._expected_frames = 0  # the announced length has arrived
        self._concealed_run = 0
        self._decide(packet)
        self._last_sequence, self._played_until = packet.sequence, packet.position + len(block)
        self._buffer.note_played(packet, len(block))
        frame = self._rate.output_frame(self._pulled + len(self._ready) - overdue)
        self.history.append(PlayedPacket(packet.position % RTP_TIMESTAMPS, packet.arrival_s, frame))
        rest = block[overdue:]
        spliced = self._spliced(rest)
        self._buffer.advance(len(rest))
        return spliced

    def _decide(self, packet: Packet) -> None:
        """Count the frames before a packet that were never sent as silence, not as concealment."""
        passed = [packet]
        while self._coming and self._coming[0].sequence <= packet.sequence:
            passed.append(self._coming.popleft())
        if self._undecided_frames and self._last_sequence is not None:
            unsent = self._unsent(self._last_sequence, passed)
            self._count_as_silent(min(unsent, self._undecided_frames))
        self._undecided_frames = 0

    def _unsent(self, sequence: int, packets: Iterable[Packet]) -> int:
        """Return the frames that the sender left out between packets, of which the last is played.

        A lost packet in between may have been as long as Opus allows, so it counts as that.
        """
        unsent, end = 0, self._played_until
        for packet in sorted(packets, key=lambda each: each.sequence):
            lost = packet.sequence - sequence - 1
            if lost >= 0:
                unsent += max(0, packet.position - lost * LONGEST_PACKET - end)
                sequence, end = packet.sequence, packet.position + self._frame_frames
        return unsent

    def _count_as_silent(self, frames: int) -> None:
        self.counters.concealed_frames -= frames
        self.counters.silent_frames += frames

    def _fill_gap(self, lacking: int) -> Block:
        """Return sound up to the next packet: concealment by the frame, silence as requested."""
        assert self._buffer.line is not None
        following = self._buffer.following
        gap = self._frame_frames if following is None else following.position - self._buffer.line
        if self._last_sequence is None:
            return self._wait(min(gap, lacking))
        if following is not None and following.sequence == self._last_sequence + 1:
            return self._be_silent(min(gap, lacking))
        return self._conceal(min(gap, self._frame_frames))

    def _wait(self, frames: int) -> Block:
        self.counters.waiting_frames += frames
        self._buffer.advance(frames)
        return silence(frames)

    def _be_silent(self, frames: int) -> Block:
        self.counters.silent_frames += frames
        self._buffer.advance(frames)
        return silence(frames)

    def _conceal(self, frames: int) -> Block:
        """Return the codec's concealment; after 100 ms without a packet, silence.

        When the target exceeds the delay by a frame, the line of play stands still meanwhile; when
        it exceeds it by less, the concealment is stretched: otherwise a stream whose packets are
        all late would never be heard again.
        """
        self.counters.concealed_frames += frames
        self._undecided_frames += frames
        self._concealed_run += frames
        codec_silent = self._concealed_run > _CONCEAL_MAX or frames % FRAME_LENGTHS[0]
        block = silence(frames) if codec_silent else self._decoder.conceal(frames)
        if -self._surplus() >= frames:
            return block
        spliced = self._spliced(block)
        self._buffer.advance(frames)
        return spliced

    def _spliced(self, block: Block) -> Block:
        """Return a block spliced so that the delay moves towards its target."""
        change = self._correction()
        most = min(abs(change), longest_splice(len(block)))
        if most == 0:
            return block
        frames = most_similar(block, most)
        if change > 0:
            self.counters.inserted_frames += frames
            return lengthen(block, frames)
        self.counters.removed_frames += frames
        return shorten(block, frames)

    def _correction(self) -> int:
        """Return the frames by which a splice should change the delay now."""
        if self._rate.mends(self._surplus):
            return 0
        assert self.delay_frames is not None
        return self._estimator.correction(self._pulled, self.delay_frames)


def packets_in(seconds: float) -> int:
    """Return the number of packets in a time, with the shortest frames."""
    return math.ceil(seconds * SAMPLE_RATE / FRAME_LENGTHS[0])
