"""Counters of a playout buffer's packets and frames, and the record of a played packet."""

from dataclasses import dataclass


@dataclass(slots=True)
class PlayoutCounters:
    """The fate of every packet received and of every frame the card requested.

    ``received = decoded + late + duplicated + corrupt + strayed`` once nothing is buffered, and
    ``played + concealed + unheard + silent + waiting + inserted - removed`` frames are exactly the
    frames pulled plus those ready to be pulled.
    """

    received: int = 0
    decoded: int = 0
    late: int = 0
    """Packets that arrived after they were due, or whose place a longer packet had covered."""
    duplicated: int = 0
    """Packets that had arrived before."""
    recovered: int = 0
    """Packets that came only as redundant copies (RFC 2198); they are among the received ones.
    A copy of a packet that has arrived is not counted at all."""
    reordered: int = 0
    """Packets that arrived after a packet with a later timestamp."""
    corrupt: int = 0
    """Packets that the codec could not decode."""
    strayed: int = 0
    """Packets too far from the line of play, or left over from an abandoned timeline."""
    restarted: int = 0
    """Number of times a new timeline replaced the sender's old one."""
    played_frames: int = 0
    """Frames decoded from packets."""
    concealed_frames: int = 0
    """Frames of concealment, for packets missing at their deadline."""
    silent_frames: int = 0
    """Frames that the sender did not send (timestamps jump, sequence numbers do not); known when
    the next packet has come, and counted as concealed until then."""
    waiting_frames: int = 0
    """Frames of silence before the first packet was due."""
    inserted_frames: int = 0
    """Frames that splices inserted, to increase the delay."""
    removed_frames: int = 0
    """Frames that splices removed, to reduce the delay."""
    missed_frames: int = 0
    """Frames pulled for blocks that the card played as silence, because our process was late."""
    unheard_frames: int = 0
    """Frames of concealment in such blocks: inaudible, so not counted as concealed."""
    skipped_frames: int = 0
    """Frames of the sender's timeline skipped, to reduce a large delay at once."""

    @property
    def concealed_share(self) -> float:
        """Concealed frames over played and concealed frames; 0 before the first."""
        due = self.played_frames + self.concealed_frames
        return self.concealed_frames / due if due else 0.0


@dataclass(frozen=True, slots=True)
class PlayedPacket:
    """The arrival of a packet, and the output frame of its first sample."""

    timestamp: int
    """RTP timestamp, 32 bits."""
    arrival_s: float
    """As given to `Playout.receive`."""
    output_frame: int
    """Frames pulled before the packet's first sample."""
