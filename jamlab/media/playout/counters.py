"""What a playout buffer notes: what became of packets and frames, and when each was played."""

from dataclasses import dataclass


@dataclass(slots=True)
class PlayoutCounters:
    """What became of every packet and of every frame the card asked for.

    ``received = decoded + late + duplicated + corrupt + strayed`` once nothing is buffered, and
    ``played + concealed + unheard + silent + waiting + inserted - removed`` frames are those pulled
    and those ready to be pulled, exactly.
    """

    received: int = 0
    """Packets handed in."""
    decoded: int = 0
    """Packets decoded."""
    late: int = 0
    """Packets that came after their turn, or that something longer had covered."""
    duplicated: int = 0
    """Packets that were there already."""
    reordered: int = 0
    """Packets that came after a later one."""
    corrupt: int = 0
    """Packets the codec refused."""
    strayed: int = 0
    """Packets too far from the line of play, or left over from a timeline that was given up."""
    restarted: int = 0
    """Times the sender's timeline was given up for a new one."""
    played_frames: int = 0
    """Frames decoded from packets."""
    concealed_frames: int = 0
    """Frames invented because a packet was missing at its deadline."""
    silent_frames: int = 0
    """Frames the sender chose not to send (timestamps jump, sequence numbers do not)."""
    waiting_frames: int = 0
    """Frames of silence before the first packet was due."""
    inserted_frames: int = 0
    """Frames put in by splices, to gain delay."""
    removed_frames: int = 0
    """Frames taken out by splices, to lose delay."""
    missed_frames: int = 0
    """Frames pulled that the card played as silence, because it was called too late."""
    unheard_frames: int = 0
    """Frames invented for such blocks: nobody heard them, so they are not among the concealed."""
    skipped_frames: int = 0
    """Frames of the sender's time never played, to lose much delay at once."""

    @property
    def concealed_share(self) -> float:
        """Concealed frames over all frames that should have been heard; 0 before the first."""
        due = self.played_frames + self.concealed_frames
        return self.concealed_frames / due if due else 0.0


@dataclass(frozen=True, slots=True)
class PlayedPacket:
    """When a packet came, and where its first sample went."""

    timestamp: int
    """RTP timestamp, 32 bits."""
    arrival_s: float
    """As given to `Playout.receive`."""
    output_frame: int
    """Frames pulled before its first sample."""
