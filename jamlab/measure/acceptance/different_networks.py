"""Acceptance test of different networks: participants behind NATs on the simulated internet.

Each case is two places and the expected kind of path between them. A session prefers direct
paths, so the selected path follows from the network alone. It is observed at the network, not at
the session: the share of the RTP packets to a participant that the TURN server delivers. STUN, DTLS
and RTCP are not counted, and a packet that passes two relays in a row counts once, at the last.

*The control.* A connection with STUN shows that STUN works only if the homes do not connect without
it, and a connection with TURN only if they do not connect with STUN. So the same two places are
also tried with the next weaker configuration, by ICE alone, and that has to fail.
"""

import asyncio
import math
from dataclasses import dataclass

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.ice.file import embedded_configurations
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.players import Player, all_connected, in_session, note_notices
from jamlab.measure.acceptance.simulated_homes import World, at_home
from jamlab.measure.connectivity.attempt import FAILED
from jamlab.measure.connectivity.call import Call, simulate
from jamlab.measure.latency.click_paths import Path, click_table
from jamlab.measure.latency.participants import wait_until
from jamlab.measure.latency.plan import MAX_LATENCY_S
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.latency.worst_path import late_ms
from jamlab.measure.statistics import p95, proportion, resampling
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC, FirewallType
from jamlab.networks.model.place import Place
from jamlab.networks.model.profile import profile_named
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world

DIFFERENT_NETWORKS = "different-networks"

CONNECTED_AFTER = "time until both are connected"
LATENCY = "one-way latency across networks, 95th percentile"
HEARD = "share of clicks heard"
RELAYED = "share of RTP packets through TURN where a relay is needed"
AVOIDABLE = "share of RTP packets through TURN where a direct path exists"
CONTROL = "connects without the server under test"
"""1 if the control, which should fail, connected."""

PROFILE = "same country"
"""The network profile between the places: 16 ms one way, with its jitter and loss."""
DEADLINE_S = 60.0
"""Limit for connecting."""
SETTLE_S = 1.5
_PLAYERS = "player 1", "player 2"


@dataclass(frozen=True)
class Case:
    """Two places, and the kind of path expected between them."""

    name: str
    places: tuple[Place, Place]
    needs_relay: bool
    configuration: str
    """Name of the embedded ICE configuration that both ends use."""
    without: str
    """Name of the weaker configuration that must not connect them: the control."""


_HOME = Place("home", ((PORT_RESTRICTED,),))
_CARRIER = Place("symmetric", ((SYMMETRIC,),))
_OFFICE = Place("office", ((FirewallType(udp_blocked=True), PORT_RESTRICTED),))
CASES = (
    Case("home to home", (_HOME, _HOME), False, "STUN+TURN/UDP", "host only"),
    Case("symmetric NATs", (_CARRIER, _CARRIER), True, "STUN+TURN/UDP", "STUN"),
    Case("UDP blocked at one end", (_HOME, _OFFICE), True, "STUN+TURN/TCP", "STUN+TURN/UDP"),
)
"""Most homes; two phones behind symmetric carrier NATs; an office that allows only TCP out."""


def different_networks(case: Case, duration_s: float = 10.0, seed: int = 1) -> Finding:
    """Connect two participants in the places of a case, and measure the latency of both directions.

    Ten seconds of virtual time give enough clicks for a 95th percentile.
    """
    finding = Finding(DIFFERENT_NETWORKS)
    with simulated_world():
        run_simulated(_connect(finding, case, duration_s, seed), seed=seed)
    finding.note(CONTROL, case.name, float(_control_connects(case, seed)))
    return finding


def _control_connects(case: Case, seed: int) -> bool:
    delay_s = profile_named(PROFILE).delay_s / 2
    call = Call(0, seed, *case.places, delay_s, delay_s, signalling_s=0.05)
    return simulate(call, embedded_configurations()[case.without]).result != FAILED


async def _connect(finding: Finding, case: Case, duration_s: float, seed: int) -> None:
    ice = embedded_configurations()[case.configuration]
    homes = dict(zip(_PLAYERS, case.places, strict=True))
    async with at_home(homes, profile_named(PROFILE).access(), ice) as world:
        began_s = asyncio.get_running_loop().time()
        async with in_session(_PLAYERS, ice=ice, where=world.where, seed=seed) as players:
            try:
                await all_connected(players, DEADLINE_S)
                after_s = asyncio.get_running_loop().time() - began_s
                finding.tell(case.name, after_s, "both are connected")
                await _measure(finding, case, world, players, duration_s)
            except TimeoutError:
                after_s = DEADLINE_S
            finding.note(CONNECTED_AFTER, case.name, after_s)
            note_notices(finding, case.name, players, began_s)


async def _measure(
    finding: Finding, case: Case, world: World, players: list[Player], duration_s: float
) -> None:
    """Let both click; note the latency of the clicks and the route of the packets."""
    for player in players:
        player.click()
    await asyncio.sleep(SETTLE_S)
    a, b = players
    relayed, direct = world.relayed_media, world.direct_media
    spans = {player.name: _span(player, duration_s) for player in players}
    for player in players:
        await wait_until(player.card, spans[player.name][1] + int(MAX_LATENCY_S * SAMPLE_RATE))
    relayed, direct = world.relayed_media - relayed, world.direct_media - direct
    share = 100 * relayed / (relayed + direct) if relayed + direct else math.nan
    finding.note(RELAYED if case.needs_relay else AVOIDABLE, case.name, share)
    for sender, listener in ((a, b), (b, a)):
        path = Path(ONE_WAY, sender, listener, listener.name, *spans[sender.name], times=None)
        _note_latency(finding, case, path)


def _span(player: Player, duration_s: float) -> tuple[int, int]:
    start = len(player.recording)
    return start, start + int(duration_s * SAMPLE_RATE)


def _note_latency(finding: Finding, case: Case, path: Path) -> None:
    clicks = click_table([(path, path.readings())])
    heard = int(clicks["latency_ms"].notna().sum())
    name = f"{case.name}, {path.emitter.name} → {path.listener.name}"
    finding.note(LATENCY, name, p95(late_ms(clicks), resampling()))
    share = proportion(heard, len(clicks)).value
    finding.note(HEARD, name, 100 * (0.0 if math.isnan(share) else share))
    finding.draw("latency", name, clicks["emitted_s"], clicks["latency_ms"])
