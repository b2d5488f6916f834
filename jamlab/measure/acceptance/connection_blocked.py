"""Acceptance test of a blocked connection: its notices, and a session that continues without it.

Three participants are on the simulated internet. Participant 3 is in an office whose firewall drops
UDP, so neither a direct path nor the relay over UDP works; the other two are at home. After all
four directions have been given up, the two must hear each other undisturbed, the third must be in
the session without audio, and there may be no unforeseen error. Then the firewall opens, and the
session must detect that by itself.
"""

import asyncio
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import permutations

from jamlab.audio.levels import peak_dbfs
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.ice.file import embedded_configurations
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.players import Player, all_connected, in_session, note_notices
from jamlab.measure.acceptance.simulated_homes import World, at_home
from jamlab.measure.acceptance.sines import tone
from jamlab.measure.acceptance.who_is_heard import exactly_heard_share, tones_over_time
from jamlab.measure.latency.participants import wait_until
from jamlab.media.quality import Quality
from jamlab.mesh.notices import NoticeKind
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world

CONNECTION_BLOCKED = "connection-blocked"

WARNED = "time until the first warning"
WITHOUT_AUDIO = "time until the notice that the session goes on without audio"
OTHERS_HEAR = "share of the time the other participants hear exactly each other"
BLOCKED_HEARS = "peak of the blocked participant's playback"
PLAYS_ON = "share of the blocks of the blocked participant's card that were served"
UNFORESEEN = "number of unexpected errors and of tasks left behind"
RECOVERED = "time from the end of the block to audio on all paths"
HEARD_AGAIN = "share of the time all participants hear all others afterwards"

TONES_HZ = {"player 1": 997.0, "player 2": 1499.0, "player 3": 2503.0}
BLOCKED = "player 3"
LEVEL_DBFS = -20.0
SPARING = Quality("sparing", 48_000, 2880, "restricted_lowdelay")
"""Sixty milliseconds a packet, since the test is about who hears whom, not about latency."""
ABOUT_CONNECTIONS = frozenset(NoticeKind) - {
    NoticeKind.JOINED,
    NoticeKind.NEW_KEY,
    NoticeKind.HIGH_LATENCY,
    NoticeKind.NORMAL_LATENCY,
}
"""The notices that count; such long packets also cause notices about high latency."""
BLOCK_FRAMES = 2880
STRETCH_S = 5.0
"""Length of the recording, once while blocked and once after that."""
DEADLINE_S = 120.0
"""Limit of each wait."""
_WINDOW_FRAMES = SAMPLE_RATE // 4
_DRAWN_FRAMES = SAMPLE_RATE // 2
_SETTLE_S = 1.0
_HOME = Place("home", ((PORT_RESTRICTED,),))
_OFFICE = Place("office", ((FirewallType(udp_blocked=True), PORT_RESTRICTED),))
_ACCESS = LinkConfig(delay_s=0.015)
_GONE_S = 1.0  # aiortc's last tasks end a moment after their connection


def connection_blocked(seed: int = 1) -> Finding:
    """Run a session with one of three behind a firewall that drops UDP, then open the firewall."""
    finding = Finding(CONNECTION_BLOCKED)
    with simulated_world():
        run_simulated(_play(finding, seed), seed=seed)
    return finding


async def _play(finding: Finding, seed: int) -> None:
    ice = embedded_configurations()["STUN+TURN/UDP"]
    homes = {name: _OFFICE if name == BLOCKED else _HOME for name in TONES_HZ}
    async with at_home(homes, _ACCESS, ice) as world:
        before = asyncio.all_tasks()
        with _unforeseen() as errors:
            async with in_session(
                TONES_HZ,
                quality=SPARING,
                block_frames=BLOCK_FRAMES,
                ice=ice,
                where=world.where,
                seed=seed,
            ) as players:
                await _session(finding, world, players)
            await asyncio.sleep(_GONE_S)
        errors += [f"task left: {task.get_name()}" for task in asyncio.all_tasks() - before]
        finding.note(UNFORESEEN, "", len(errors))
        for words in errors:
            finding.tell("errors", 0.0, words)


async def _session(finding: Finding, world: World, players: list[Player]) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for player in players:
        hz = TONES_HZ[player.name]
        player.card.source = tone((hz, hz), LEVEL_DBFS)
    await _all_notified(players, NoticeKind.NO_AUDIO)
    for figure, kind in ((WARNED, NoticeKind.RETRYING), (WITHOUT_AUDIO, NoticeKind.NO_AUDIO)):
        _note_notice_times(finding, figure, kind, players, began_s)
    await _listen_blocked(finding, players)
    opened_s = loop.time()
    finding.tell("notices", opened_s - began_s, "the firewall opens")
    world.open_firewalls(BLOCKED)
    finding.note(RECOVERED, "", await _recovery_s(players))
    await asyncio.sleep(_SETTLE_S)
    starts = await _listen(players)
    for player in players:
        _note_share(finding, HEARD_AGAIN, player, starts, set(TONES_HZ) - {player.name})
        _draw_tones(finding, player, began_s)
    note_notices(finding, "notices", players, began_s, ABOUT_CONNECTIONS)


async def _listen_blocked(finding: Finding, players: list[Player]) -> None:
    *others, blocked = players
    blocks = blocked.card.counters.blocks
    starts = await _listen(players)
    for player in others:
        expected = {other.name for other in others} - {player.name}
        _note_share(finding, OTHERS_HEAR, player, starts, expected)
    heard = blocked.recording.block(starts[blocked.name], int(STRETCH_S * SAMPLE_RATE))
    finding.note(BLOCKED_HEARS, blocked.name, peak_dbfs(heard).max())
    served = (blocked.card.counters.blocks - blocks) * BLOCK_FRAMES / SAMPLE_RATE
    finding.note(PLAYS_ON, blocked.name, 100 * min(served / STRETCH_S, 1.0))


async def _listen(players: Iterable[Player]) -> dict[str, int]:
    """Let a stretch pass; return the frame of each participant's card at which it began."""
    starts = {player.name: len(player.recording) for player in players}
    for player in players:
        end = starts[player.name] + int(STRETCH_S * SAMPLE_RATE)
        await wait_until(player.card, end + player.card.round_trip_frames)
    return starts


def _note_share(
    finding: Finding, figure: str, player: Player, starts: dict[str, int], expected: set[str]
) -> None:
    heard = player.recording.block(starts[player.name], int(STRETCH_S * SAMPLE_RATE))
    share = exactly_heard_share(heard, TONES_HZ, LEVEL_DBFS, _WINDOW_FRAMES, expected)
    finding.note(figure, player.name, 100 * share)


async def _all_notified(players: list[Player], kind: NoticeKind) -> None:
    """Wait until every participant concerned had a notice of a kind, or the time is over."""
    noticed = asyncio.Event()
    removals = [player.session.on_notice(lambda _: noticed.set()) for player in players]
    try:
        async with asyncio.timeout(DEADLINE_S):
            while any(_notice_s(*pair, kind) is None for pair in _concerned(players)):
                noticed.clear()
                await noticed.wait()
    except TimeoutError:
        return  # missing notices are noted later
    finally:
        for remove in removals:
            remove()


def _concerned(players: list[Player]) -> list[tuple[Player, str]]:
    """Return the expected notices, recipient and peer: both ends of each blocked connection."""
    pairs = permutations(players, 2)
    return [(player, other.name) for player, other in pairs if BLOCKED in (player.name, other.name)]


def _notice_s(player: Player, peer: str, kind: NoticeKind) -> float | None:
    """Return when a participant first had a notice of a kind about a peer; None if never."""
    wanted = kind, peer
    notices = (notice for notice in player.notices if (notice.kind, notice.peer_id) == wanted)
    return next((notice.at_s for notice in notices), None)


def _note_notice_times(
    finding: Finding, figure: str, kind: NoticeKind, players: list[Player], began_s: float
) -> None:
    for player, peer in _concerned(players):
        notice_s = _notice_s(player, peer, kind)
        after_s = DEADLINE_S if notice_s is None else notice_s - began_s
        finding.note(figure, f"{player.name} about {peer}", after_s)


async def _recovery_s(players: list[Player]) -> float:
    """Return the time from now until all participants are connected to each other."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        await all_connected(players, DEADLINE_S)
    except TimeoutError:
        return DEADLINE_S
    return loop.time() - began_s


def _draw_tones(finding: Finding, player: Player, began_s: float) -> None:
    """Add curves of the level of every participant's tone in a participant's playback."""
    times_s, levels_dbfs = tones_over_time(player.recording.pcm, TONES_HZ, _DRAWN_FRAMES)
    times_s += player.card.time_of(0) - began_s
    for name, drawn_dbfs in levels_dbfs.items():
        finding.draw(player.name, name, times_s, drawn_dbfs)


@contextmanager
def _unforeseen() -> Iterator[list[str]]:
    """Collect the errors that the event loop and the loggers of this process report."""
    found: list[str] = []
    handler = _Collector(found)
    loop = asyncio.get_running_loop()
    earlier = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: found.append(str(context.get("message"))))
    logging.getLogger().addHandler(handler)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(handler)
        loop.set_exception_handler(earlier)


class _Collector(logging.Handler):
    """A logging handler that keeps the message of every error."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        self._found.append(record.getMessage())
