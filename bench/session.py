"""``make bench-session``: time from joining to the first sound, recovery, and robustness.

*Join to first audio* is compared with stock aiortc for the same number of participants in the same
process, without a signalling service.
"""

import asyncio
import json
import logging
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from aiortc.sdp import SessionDescription

from bench import crowd
from bench.bars import bar, figure, publish
from bench.calibration import alternated
from bench.crowd import CALM
from bench.latency import real_time
from bench.stock import join, stock_player
from jamlab.audio.card import VirtualCard
from jamlab.media.opus import OpusDecoder
from jamlab.media.playout.playout import Playout
from jamlab.media.quality import LOW_LATENCY
from jamlab.mesh.connection.description import read_candidate, read_description
from jamlab.mesh.connection.errors import MalformedCandidateError, MalformedDescriptionError
from jamlab.mesh.service import WebRTCAudioService
from jamlab.mesh.session import JamSession
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.process.pauses import collector_paused
from jamlab.process.precise_loop import run_precisely
from jamlab.signaling.hub.phoenix import MalformedFrameError, Version, decode
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.messages import MalformedSignalError, Signal
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.mesh.chaos import PLAYERS, Jam, chaos, open_world
from tests.mesh.connection import grammar
from tests.mesh.hostile import hostile

RUNS = 5
SEEDS = 200
CUT_SEEDS = 10
CUT_S = 5.0
MUTATIONS = 100_000
BUILT = 100_000
NEIGHBOURS = 10_000
LISTEN_S = 8.0


def session(hub, name, quality, block_frames=64):
    signaling = partial(SupabaseChannel, url=hub.url, key=hub.key, events_per_s=1000)
    own = card(block_frames)
    return JamSession("room", name, signaling=signaling, card=own, quality=quality)


def card(block_frames):
    return VirtualCard(block_frames=block_frames)


def decoded(one):
    """Return the numbers of packets decoded so far, by peer."""
    playouts = {peer: one.service.playout(peer) for peer in one.service.peers}
    return {peer: playout.counters.decoded for peer, playout in playouts.items() if playout}


async def join_to_first_audio(there):
    """Return the seconds from joining a room of `there` participants to the first sound."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Hub())
        for number in range(there):
            member = session(hub, f"player {number}", LOW_LATENCY)
            await stack.enter_async_context(member)
            await member.wait_connected(30)
        loop, newcomer = asyncio.get_running_loop(), session(hub, "newcomer", LOW_LATENCY)
        began_s = loop.time()
        await stack.enter_async_context(newcomer)
        while not any(decoded(newcomer).values()):
            await asyncio.sleep(0.002)
        return loop.time() - began_s


async def stock_to_first_audio(there):
    """Return the same time for stock aiortc, with descriptions exchanged in this process."""
    async with AsyncExitStack() as stack:
        members = []
        for _ in range(there):
            newcomer = await stack.enter_async_context(stock_player())
            await asyncio.gather(*(join(member, newcomer) for member in members))
            members.append(newcomer)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        newcomer = await stack.enter_async_context(stock_player())
        joining = asyncio.gather(*(join(member, newcomer) for member in members))
        while not any(newcomer.heard):
            await asyncio.sleep(0.002)
        heard_s = loop.time() - began_s
        await joining
        return heard_s


async def concealed_because_of_a_restart():
    """Return the frames that a pair concealed while its hub was away, minus those of another pair.

    The other pair has no hub: both pairs conceal the packets for which this process' loop is late.
    """
    async with AsyncExitStack() as stack:
        hub = await Hub().__aenter__()
        try:
            with_hub = [session(hub, name, CALM, 480) for name in ("ada", "ben")]
            room = MemoryChannel()
            without = [
                JamSession("room", name, signaling=lambda _: room, card=card(480), quality=CALM)
                for name in ("cleo", "dan")
            ]
            for member in with_hub + without:
                await stack.enter_async_context(member)
            for member in with_hub + without:
                await member.wait_connected(30)
            await asyncio.sleep(LISTEN_S / 2)
            before = concealed(with_hub) - concealed(without)
        finally:
            await hub.__aexit__(None, None, None)
        await asyncio.sleep(LISTEN_S)
        async with Hub(port=hub.port, key=hub.key):
            await asyncio.sleep(LISTEN_S)
            return concealed(with_hub) - concealed(without) - before


def concealed(members):
    playouts = [m.service.playout(peer) for m in members for peer in m.service.peers]
    return sum(playout.counters.concealed_frames for playout in playouts if playout)


async def back_after_a_cut(seed):
    """Return the virtual seconds from the end of a cut until all participants are heard again."""
    jam = Jam(seed)
    async with open_world(jam):
        await jam.all_hear_all(30)
        name = jam.rng.choice(PLAYERS)
        loop, line = asyncio.get_running_loop(), jam.net.lines[f"{name}-home"]
        line.cut = True
        jam.room.cut.add(name)
        await asyncio.sleep(CUT_S)
        line.cut = False
        jam.room.restore(name)
        began_s, player = loop.time(), jam.players[name].session
        before = decoded(player)
        while any(
            decoded(player).get(peer, 0) <= before.get(peer, 0) for peer in PLAYERS if peer != name
        ):
            await asyncio.sleep(0.01)
        return loop.time() - began_s


def cut(seed):
    with simulated_world():
        return run_simulated(back_after_a_cut(seed), seed=seed)


def survives(seed):
    try:
        chaos(seed)
    except Exception as error:
        print(f"seed {seed}: {error!r}", file=sys.stderr)
        return False
    return True


def hostile_hour():
    """Return what the musicians have to complain of after an hour with a hostile member."""
    logging.disable(logging.WARNING)  # what is refused is said, and that is not the question here
    try:
        return hostile(1)[0]
    finally:
        logging.disable(logging.NOTSET)


def hostile_bars(complaints):
    left = {name: max(number, 0) for name, number in complaints.items()}
    return [
        bar("hostile hour: sound concealed", [100 * complaints["concealed"]], "%", "≤", 0.5),
        bar("hostile hour: names taken", [left["names taken"]], "", "≤", 0),
        bar("hostile hour: connections replaced", [left["connections replaced"]], "", "≤", 0),
        bar(
            "hostile hour: connections, sockets and tasks left",
            [left["connections left"] + left["sockets left"] + left["tasks left"]],
            "",
            "≤",
            0,
        ),
        bar("hostile hour: memory of its second half", [left["memory_bytes"] / 1e6], "MB", "≤", 16),
    ]


async def real_messages():
    """Return an offer in its form on the wire."""
    async with WebRTCAudioService() as service:
        await service.initialize_local_audio(VirtualCard())
        return await service.create_offer("ben")


def mutated(data, rng):
    """Damage bytes in one to four places."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data) + 1), rng.choice((0, 1, 1, 2, 8, 64))
        kind = rng.randrange(3)
        piece = (
            rng.randbytes(length) if kind else bytes(data[rng.randrange(len(data) + 1) :][:length])
        )
        data[at : at + (length if kind == 1 else 0)] = piece
    return bytes(data)


def harmed(offer, cases, seed=1):
    """Return the number of damaged messages that raised an unexpected exception."""
    rng, playout, harm = random.Random(seed), Playout(OpusDecoder()), 0
    candidate = {"candidate": "candidate:1 1 udp 2130706431 10.0.0.1 50000 typ host", "sdpMid": "0"}
    payload = {"type": "offer", "targetPeerId": "ada", "senderPeerId": "ben", "data": offer}
    frame = json.dumps(["1", "2", "realtime:room", "broadcast", {"payload": payload}])

    def text(data):
        return mutated(data.encode(), rng).decode(errors="replace")

    def sdp():
        read_description({**offer, "sdp": text(offer["sdp"])}, "offer", "ben")

    def trickled():
        read_candidate({**candidate, "candidate": text(candidate["candidate"])}, "ben")

    def signalled():
        Signal.from_payload(json.loads(text(json.dumps(payload))))

    def framed():
        decode(text(frame), rng.choice([*Version]))

    def heard():
        playout.receive(rng.getrandbits(16), rng.getrandbits(32), rng.randbytes(60), 0.0)
        playout.pull(64)

    kinds = (sdp, trickled, signalled, framed, heard)
    expected = (
        MalformedDescriptionError,
        MalformedCandidateError,
        MalformedSignalError,
        MalformedFrameError,
        json.JSONDecodeError,
    )
    for number in range(cases):
        try:
            kinds[number % len(kinds)]()
        except expected:
            pass
        except Exception as error:
            print(f"{kinds[number % len(kinds)].__name__}: {error!r}", file=sys.stderr)
            harm += 1
    return harm


def built(cases, seed=1):
    """Return the Python errors that descriptions and candidates built from the grammar caused.

    Half are offers and answers, half candidates. An error that is refused in Python's words counts.
    """
    rng, harm = random.Random(seed), 0
    for number in range(cases):
        try:
            if number % 2:
                read_candidate(grammar.candidate_init(rng), "ben")
            else:
                kind = rng.choice(("offer", "answer"))
                said = read_description({"type": kind, "sdp": grammar.offer(rng)}, kind, "ben")
                SessionDescription.parse(said.sdp)
        except (MalformedDescriptionError, MalformedCandidateError) as error:
            harm += bool(grammar.PYTHON.search(str(error)))
        except Exception as error:
            print(f"built from the grammar: {error!r}", file=sys.stderr)
            harm += 1
    return harm


def accepted(cases, seed=1):
    """Return the share, in per cent, of browsers' descriptions and neighbours that are accepted."""
    rng, refused = random.Random(seed), 0
    recorded = [grammar.recorded(path) for path in grammar.RECORDED]
    for number in range(cases):
        said = recorded[number % len(recorded)]
        if number >= len(recorded):
            said = {**said, "sdp": grammar.neighbour(rng, said["sdp"])}
        try:
            read_description(said, said["type"], "ben")
        except MalformedDescriptionError as error:
            print(error, file=sys.stderr)
            refused += 1
    return 100 * (1 - refused / cases)


def run(coroutine):
    """Run a coroutine with real-time priority, as with a sound card, to exclude other load."""
    with collector_paused(), real_time():
        return run_precisely(coroutine)


def joined(there):
    """Compare a newcomer's time to the first sound with that on stock aiortc."""
    print(f"a newcomer to {there}", file=sys.stderr)
    return alternated(
        lambda: run(join_to_first_audio(there)), lambda: run(stock_to_first_audio(there)), RUNS
    )


def main():
    second, sixth = joined(1), joined(5)
    print("restarts", file=sys.stderr)
    restart = [run(concealed_because_of_a_restart()) for _ in range(RUNS)]
    print("a crowd at the hub", file=sys.stderr)
    beside_a_crowd = crowd.bars(run)
    print("cuts, chaos, damage, a hostile hour", file=sys.stderr)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        hour = pool.submit(hostile_hour)
        back = list(pool.map(cut, range(CUT_SEEDS)))
        failures = [not survived for survived in pool.map(survives, range(SEEDS))]
        complaints = hour.result()
    harm = harmed(run(real_messages()), MUTATIONS)
    print("descriptions and candidates by the grammar", file=sys.stderr)
    errors, share = built(BUILT), accepted(NEIGHBOURS)
    bars = [
        bar("join to first audio, 2 participants, over stock's", second.ratios, "×", "≤", 1),
        bar("join to first audio, 6 participants, over stock's", sixth.ratios, "×", "≤", 1),
        bar(
            "audio back, over the cut, virtual time", [each / CUT_S for each in back], "×", "≤", 0.1
        ),
        bar("concealed because of a hub restart", restart, "frames", "≤", 0),
        *beside_a_crowd,
        bar(f"failures in {SEEDS} schedules of mishaps", [sum(failures)], "", "≤", 0),
        bar(f"harm done by {MUTATIONS} damaged messages", [harm], "", "≤", 0),
        bar(f"Python errors at {BUILT} offers and candidates by the grammar", [errors], "", "≤", 0),
        bar("browsers' descriptions and neighbours accepted", [share], "%", "≥", 99),
        *hostile_bars(complaints),
        figure("join to first audio, 2 participants", second.measured, "s"),
        figure("join to first audio, 6 participants", sixth.measured, "s"),
    ]
    publish(bars, Path("reports/bench-session.json"))


if __name__ == "__main__":
    main()
