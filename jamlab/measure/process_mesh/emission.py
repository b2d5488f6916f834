"""What a participant of a session has sent, for those who search their playback for its clicks."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from jamlab.audio.card import VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.measure.latency.participants import Participant


@dataclass(frozen=True)
class FarEmitter:
    """A participant of another process: its clicks, and its card's timeline."""

    name: str
    metronome: Metronome
    card: VirtualCard


class Emission(msgspec.Struct, frozen=True):
    """The clicks and packets that a participant has sent in one session.

    Times are of the machine's monotonic clock, which all processes share.
    """

    name: str
    started_s: float
    """Time of its card's frame 0."""
    block_frames: int
    spans: list[tuple[int, int]]
    """Frames between which its clicks count, for each stretch."""
    origins: dict[str, int]
    """RTP timestamp of its capture position 0, by the peer that the stream goes to."""
    sent: list[tuple[int, float]]
    """Capture position and sending time of each frame, in order."""

    @classmethod
    def of(cls, me: Participant, spans: list[tuple[int, int]]) -> "Emission":
        """Return what a participant has sent so far; its session is still open."""
        service = me.session.service
        assert me.card.started_s is not None
        origins = {peer: service.timestamp_origin(peer) for peer in service.peers}
        return cls(
            me.name,
            me.card.started_s,
            me.card.block_frames,
            spans,
            {peer: origin for peer, origin in origins.items() if origin is not None},
            list(service.sent_frames),
        )

    def emitter(self, metronome: Metronome) -> FarEmitter:
        """Return the participant, with a card that only has the timeline."""
        card = VirtualCard(block_frames=self.block_frames)
        card.started_s = self.started_s
        return FarEmitter(self.name, metronome, card)

    def save(self, folder: Path, session: int) -> None:
        """Write it to a file in a folder."""
        _file(folder, session, self.name).write_bytes(msgspec.json.encode(self))

    @classmethod
    def load(cls, folder: Path, session: int, name: str) -> "Emission":
        """Read what `save` wrote."""
        return msgspec.json.decode(_file(folder, session, name).read_bytes(), type=cls)


def _file(folder: Path, session: int, name: str) -> Path:
    return folder / f"session {session}, {name}.json"
