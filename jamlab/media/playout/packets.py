"""The jitter buffer of one stream: packets ordered by RTP timestamp until they are played.

A *position* is an RTP timestamp without its wrap-around. The *line of play* is the position of the
next sample to decode: a packet that ends before it is late. If one begins before the line and ends
after it, the rest is played: after a pause a sender's packets need not begin where a whole number
of concealed frames ends, and else all of them would be late. A packet far from the line belongs to
another timeline; two such packets in sequence mean that the sender has restarted (RFC 3550 A.1).
"""

from collections import OrderedDict, deque
from dataclasses import dataclass

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.counters import PlayoutCounters
from jamlab.media.rtp import sequence_difference, timestamp_difference

FARTHEST = 1 * SAMPLE_RATE
"""A packet further than this from the line of play belongs to another timeline (RFC 3550 A.1)."""

_BUFFERED = 1024  # packets; twice the maximum within `FARTHEST` of the line of play


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet whose timestamp and sequence number do not wrap around."""

    position: int
    sequence: int
    payload: bytes
    arrival_s: float


class PacketBuffer:
    """Packets from their arrival until they are due; late and duplicate ones are only counted."""

    def __init__(self, counters: PlayoutCounters) -> None:
        self.line: int | None = None
        """The line of play; None until playing starts."""
        self.arrived: deque[Packet] = deque(maxlen=_BUFFERED)
        """Packets that arrived since this was last cleared, including late ones."""
        self._counters = counters
        self._waiting: dict[int, Packet] = {}
        self._begun: Packet | None = None  # begins before the line of play, and ends after it
        self._known: OrderedDict[int, None] = OrderedDict()  # positions of the latest packets
        self._played_until = 0  # position after the last played packet
        self._frame_frames = 0  # length of that packet
        self._newest: Packet | None = None
        self._stray_sequence: int | None = None  # of the packet before this one, if it strayed

    def unwrap(self, sequence: int, timestamp: int, payload: bytes, arrival_s: float) -> Packet:
        """Return a packet with its numbers unwrapped to the nearest to the newest packet's."""
        newest = self._newest
        if newest is None:
            return Packet(timestamp, sequence, payload, arrival_s)
        position = newest.position + timestamp_difference(timestamp, newest.position)
        extended = newest.sequence + sequence_difference(sequence, newest.sequence)
        return Packet(position, extended, payload, arrival_s)

    def is_stray(self, packet: Packet) -> bool:
        """Return whether a packet is too far from the line of play.

        Before there is a line of play, the newest packet takes its place.
        """
        if self._newest is None:
            return False
        line = self._newest.position if self.line is None else self.line
        return abs(packet.position - line) > FARTHEST

    def begins_anew(self, stray: Packet) -> bool:
        """Return whether a stray packet follows another one; if not, count and drop it."""
        if self._stray_sequence is not None and stray.sequence == self._stray_sequence + 1:
            return True
        self._counters.strayed += 1
        self._stray_sequence = stray.sequence
        return False

    def restart(self) -> None:
        """Forget the timeline and every packet of it."""
        self._counters.restarted += 1
        self._counters.strayed += len(self._waiting) + (self._begun is not None)
        self._waiting.clear()
        self._begun = None
        self.arrived.clear()
        self._known.clear()
        self.line = self._newest = None

    def add(self, packet: Packet) -> None:
        """Add a packet of this timeline."""
        self._stray_sequence = None
        if packet.position in self._known:
            self._counters.duplicated += 1
            return
        self._note(packet.position)
        self.arrived.append(packet)
        if self._newest is None or packet.position > self._newest.position:
            self._newest = packet
        else:
            self._counters.reordered += 1
        if self.line is not None and packet.position < self.line:
            self._add_overdue(packet)
            return
        self._waiting[packet.position] = packet
        if len(self._waiting) > _BUFFERED:  # the card has stopped, or a peer floods us
            self._counters.late += 1
            del self._waiting[min(self._waiting)]

    def lacks(self, copy: Packet) -> bool:
        """Return whether a redundant copy is of a packet of this timeline that has not arrived.

        A timeline begins with a packet of its own.
        """
        if self._newest is None or self.is_stray(copy):
            return False
        return copy.position not in self._known

    def _note(self, position: int) -> None:
        """Remember a packet, also a late one, to recognise its copies."""
        self._known[position] = None
        if len(self._known) > 2 * _BUFFERED:
            self._known.popitem(last=False)

    def _add_overdue(self, packet: Packet) -> None:
        """Keep a packet whose rest can be played; its length is taken for the last one's."""
        assert self.line is not None
        ends = packet.position + self._frame_frames > self.line
        if self._begun is None and ends and packet.position >= self._played_until:
            self._begun = packet
        else:
            self._counters.late += 1

    def take_due(self) -> Packet | None:
        """Remove and return the packet at the line of play; None if it is missing."""
        assert self.line is not None
        due = self._waiting.pop(self.line, None)
        if due is None:
            due, self._begun = self._begun, None
        return due

    def note_played(self, packet: Packet, frames: int) -> None:
        """Note where a played packet ends, and its length."""
        self._played_until, self._frame_frames = packet.position + frames, frames

    @property
    def following(self) -> Packet | None:
        """The first buffered packet after the line of play."""
        return min(self._waiting.values(), key=lambda packet: packet.position, default=None)

    def advance(self, frames: int) -> None:
        """Advance the line of play; the packets that it passes are late."""
        assert self.line is not None
        self.line += frames
        if self._begun is not None:
            self._counters.late += 1
            self._begun = None
        for position in [p for p in self._waiting if p < self.line]:
            self._counters.late += 1
            del self._waiting[position]
