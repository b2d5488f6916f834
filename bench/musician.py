"""A participant with a real sound card, as a process: ``python -m bench.musician …``.

For each line on standard input it writes its counts as JSON. It leaves at the end of the input, not
after its last count, or its peer would count the silence that follows.
"""

import argparse
import asyncio
import json
import sys
import threading
from dataclasses import asdict
from functools import partial

from jamlab.audio.device import DeviceCard
from jamlab.audio.permission import MicrophoneAccess
from jamlab.mesh.session import JamSession
from jamlab.signaling.supabase.channel import SupabaseChannel
from jamlab.widgets import LevelMeters
from tests.audio.jack import DEVICE


def counted(session, peer):
    """Return the counts of the card and of the peer's playout buffer so far."""
    playout = session.service.playout(peer)
    stream = asdict(playout.counters) if playout else {}
    return {"card": asdict(session.card.counters), "stream": stream}


def compute():
    while True:
        sum(range(1000))


async def play(options):
    card = DeviceCard(
        DEVICE,
        DEVICE,
        block_frames=options.block_frames,
        access=MicrophoneAccess.granted(),
    )
    signaling = partial(SupabaseChannel, url=options.hub)
    session = JamSession("room", options.name, signaling=signaling, card=card)
    meters = LevelMeters(session)
    if options.computes:
        threading.Thread(target=compute, daemon=True).start()
    async with session:
        await session.wait_connected(60, options.peer)
        if options.meters:
            meters.start()
        print("connected", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(counted(session, options.peer)), flush=True)
        meters.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("peer")
    parser.add_argument("hub")
    parser.add_argument("--block-frames", type=int, default=128)
    parser.add_argument("--meters", action="store_true")
    parser.add_argument("--computes", action="store_true", help="in a thread, all the time")
    asyncio.run(play(parser.parse_args()))
