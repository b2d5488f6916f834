"""A card on PulseAudio, in a process of its own, which writes a line for each change of the card.

It plays a tone, and says "heard" when it captures one, again after each change.
"""

import asyncio
import sys

import numpy as np

from jamlab.audio.device import DeviceCard
from jamlab.audio.permission import MicrophoneAccess
from tests.audio.pulse import DEVICE

BLOCK = 1024
TONE = 0.1 * np.sin(2 * np.pi * 16 * np.arange(BLOCK, dtype=np.float32) / BLOCK)


def say(word):
    print(word, flush=True)


async def main():
    heard = False

    def note(change):
        nonlocal heard
        heard = False
        say("back" if change.there else f"gone: {change.reason}")

    def callback(block):
        nonlocal heard
        level = float(np.abs(np.fft.rfft(block[:, 0])[16])) / (BLOCK / 2)
        if not heard and abs(level - 0.1) < 0.01:
            heard = True
            say("heard")
        return np.repeat(TONE[:, np.newaxis], 2, axis=1)

    access = MicrophoneAccess.granted()
    card = DeviceCard(DEVICE, DEVICE, block_frames=BLOCK, latency="high", access=access)
    card.on_change = note
    card.start(callback)
    await asyncio.to_thread(sys.stdin.readline)
    card.stop()


if __name__ == "__main__":
    asyncio.run(main())
