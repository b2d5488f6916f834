"""Participants of an acceptance test, whose capture and playback are both recorded.

Unlike those of `jamlab.measure.latency.participants` they may have any ICE configuration on any
network, and need not connect. The captured sound is recorded between the card and the session, as a
level meter sees it.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Container, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from jamlab.audio.card import DuplexCallback, Recording, VirtualCard
from jamlab.audio.metronome import Metronome
from jamlab.audio.pcm import Block
from jamlab.ice.configuration import HOST_ONLY, IceConfiguration
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.latency.participants import (
    CONNECT_TIMEOUT_S,
    Participant,
    Where,
    difference,
    here,
    wait_until,
)
from jamlab.measure.loop_lag import LagProbe
from jamlab.measure.statistics import Estimate, share_of_sessions
from jamlab.media.quality import LOW_LATENCY, Quality
from jamlab.mesh.notices import Notice, NoticeKind
from jamlab.mesh.session import JamSession
from jamlab.signaling.memory import MemoryChannel


class MeteredCard(VirtualCard):
    """A virtual card that also records the captured sound."""

    def __init__(self, captured: Recording, played: Recording, block_frames: int) -> None:
        super().__init__(block_frames=block_frames, recording=played)
        self._capture_recording = captured

    def start(self, callback: DuplexCallback, *, capture: bool = True) -> None:
        """Start the callbacks; errors as in `VirtualCard`."""

        def metered(block: Block) -> Block:
            self._capture_recording.write(block)
            return callback(block)

        super().start(metered, capture=capture)


@dataclass
class Player(Participant):
    """A participant whose captured sound and notices are kept as well."""

    captured: Recording = field(default_factory=Recording)
    notices: list[Notice] = field(default_factory=list)


@asynccontextmanager
async def in_session(
    names: Iterable[str],
    *,
    quality: Quality = LOW_LATENCY,
    block_frames: int = 64,
    ice: IceConfiguration = HOST_ONLY,
    where: Where = here,
    seed: int | None = None,
) -> AsyncIterator[list[Player]]:
    """Bring participants into one session, connected or not; they leave when the context ends.

    The seed is that of the jitter between attempts to connect; random by default.
    """
    channel, players = MemoryChannel(), []
    async with AsyncExitStack() as stack:
        for voice, name in enumerate(names):
            played, captured = Recording(), Recording()
            card = MeteredCard(captured, played, block_frames)
            session = JamSession(
                "acceptance",
                name,
                signaling=lambda _: channel,
                card=card,
                quality=quality,
                ice=ice,
                rng=None if seed is None else random.Random(f"{seed} {name}"),
            )
            player = Player(name, Metronome(480, voice), session, card, played, captured=captured)
            session.on_notice(player.notices.append)
            with where(name):
                await stack.enter_async_context(session)
            players.append(player)
        yield players


async def all_connected(players: Iterable[Player], within_s: float = CONNECT_TIMEOUT_S) -> None:
    """Wait until all are connected to each other; raise TimeoutError naming missing peers."""
    deadline_s = asyncio.get_running_loop().time() + within_s
    for player in players:
        left_s = deadline_s - asyncio.get_running_loop().time()
        await player.session.wait_connected(max(left_s, 0.0))


def note_notices(
    finding: Finding,
    panel: str,
    players: Iterable[Player],
    began_s: float,
    kinds: Container[NoticeKind] = tuple(NoticeKind),
) -> None:
    """Add the notices of some kinds as events, in seconds since `began_s` by the loop's clock."""
    notices = [
        (notice.at_s, player.name, notice)
        for player in players
        for notice in player.notices
        if notice.kind in kinds
    ]
    for at_s, name, notice in sorted(notices, key=lambda each: each[:2]):
        peer, kind = notice.peer_id, notice.kind.value
        finding.tell(panel, at_s - began_s, notice.text, who=name, peer=peer, kind=kind)


@dataclass(frozen=True)
class Listening:
    """The recordings and counters of a stretch of listening."""

    start: dict[str, int]
    """Frame of each participant's card at which the stretch began."""
    frames: int
    counted: dict[tuple[str, str], dict[str, int]]
    """Increase of each stream's counters, by sender and listener."""
    lag_ms: float
    """99th percentile of the loop's lag."""

    def heard(self, player: Player) -> Block:
        """Return the playback of a participant's card in the stretch."""
        return player.recording.block(self.start[player.name], self.frames)

    def concealed_share(self, sender: str, listener: str, packet_frames: int) -> Estimate:
        """Estimate the concealed share of a stream, which is concealed by whole packets."""
        counted = self.counted[sender, listener]
        invented, played = counted["concealed_frames"], counted["played_frames"]
        due = max(invented + played, packet_frames)
        return share_of_sessions([invented / packet_frames], [due / packet_frames])

    def underrun_share(self, sender: str, listener: str) -> float:
        """Return the share of blocks that the listener's card played as silence."""
        counted = self.counted[sender, listener]
        return counted["card_underruns"] / max(counted["card_blocks"], 1)


async def listen(players: list[Player], frames: int) -> Listening:
    """Let every card play a number of frames, beginning with the next that none has played."""
    pairs = [(a, b) for a in players for b in players if a is not b]
    before = {(a.name, b.name): b.counters(a.name, beginning=True) for a, b in pairs}
    start = {player.name: len(player.recording) for player in players}
    with LagProbe() as probe:
        for player in players:
            ahead = player.card.round_trip_frames  # recorded before it sounds
            await wait_until(player.card, start[player.name] + frames + ahead)
        lag_ms = probe.lag().p99_s * 1000
    after = {(a.name, b.name): b.counters(a.name) for a, b in pairs}
    counted = {pair: difference(after[pair], before[pair]) for pair in after}
    return Listening(start, frames, counted, lag_ms)
