"""The process in which tests of real sound cards use PortAudio.

PortAudio finds JACK when it is loaded, and crashes when JACK ends: neither is for the process that
runs the tests. What was found is the last line written, as JSON.
"""

import asyncio
import json
import sys
from dataclasses import asdict

from jamlab.audio.device import DeviceCard
from jamlab.audio.permission import MicrophoneAccess
from jamlab.audio.portaudio import JACK, devices, portaudio
from jamlab.measure.sound_card.loopback import LoopbackPlan, loopback_table, measure_loopback
from tests.audio.jack import DEVICE


def listing():
    both = [device for direction in ("input", "output") for device in devices(direction)]
    return [asdict(device) for device in both if device.host == JACK]


def loopback(block_frames, clicks):
    plan = LoopbackPlan((int(block_frames),), int(clicks))
    return loopback_table(measure_loopback(plan, DEVICE, DEVICE)).to_dict("records")


def wire(block_frames):
    """Pass on what comes in until standard input ends: as little as PortAudio can do.

    In blocks of a length, or in the server's own with 0.
    """

    def copy(captured, played, *_):
        played[:] = captured

    frames, options = int(block_frames), {"samplerate": 48000, "channels": 1, "dtype": "float32"}
    options |= {"latency": "low", "device": DEVICE}
    with portaudio().Stream(blocksize=frames, callback=copy, **options):
        sys.stdin.read()


def card(block_frames, capture="capture"):
    """Play what is captured through a card, until a line is read or the card goes."""
    changes, frames, loudest = [], 0, 0.0

    async def main():
        gone, goes_on = asyncio.Event(), asyncio.Event()

        def note(change):
            changes.append([change.there, change.reason])
            print("gone", flush=True)
            gone.set()

        def callback(block):
            nonlocal frames, loudest
            frames += len(block)
            if sound_card.counters.blocks == 1:  # the first that is no stand-in's
                print("started", flush=True)
            loudest = max(loudest, float(abs(block).max()))
            if gone.is_set():
                goes_on.set()
            return block

        access = MicrophoneAccess.granted()
        sound_card = DeviceCard(DEVICE, DEVICE, block_frames=int(block_frames), access=access)
        sound_card.on_change = note
        sound_card.start(callback, capture=capture == "capture")
        reading = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        waiting = asyncio.create_task(gone.wait())
        await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if gone.is_set():
            await goes_on.wait()
        waiting.cancel()
        sound_card.stop()
        sound_card.stop()
        await reading
        return sound_card

    counters = asdict(asyncio.run(main()).counters)
    return {"changes": changes, "frames": frames, "loudest": loudest, **counters}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
