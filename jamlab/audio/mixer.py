"""Mixer with a soft limiter: adds streams without clipping.

Streams are added as floats, which cannot overflow. The mix must fit a card's ±1.0, so a soft
limiter acts above −3 dBFS: below this knee it is exactly transparent (one participant at a normal
level passes unchanged), above it a tanh with the same slope at the knee approaches full scale
without reaching it. The limiter has no memory, so it adds no latency and cannot pump.
"""

from collections.abc import Iterable

import numpy as np

from jamlab.audio.pcm import Block, silence

KNEE = 10 ** (-3 / 20)
"""Amplitude at which limiting begins: −3 dBFS."""

_BELOW_FULL_SCALE = np.nextafter(np.float32(1), np.float32(0))  # tanh rounds to 1 in float32


def mix(blocks: Iterable[Block], frames: int) -> Block:
    """Add blocks of `frames` frames each, and limit the sum; no blocks give silence."""
    total = silence(frames)
    for block in blocks:
        total += block
    return soft_limit(total)


def soft_limit(block: Block) -> Block:
    """Limit samples above `KNEE` to below full scale; return a block without any unchanged."""
    magnitude = np.abs(block)
    if magnitude.max(initial=0.0) <= KNEE:
        return block
    room = 1 - KNEE
    bent = np.minimum(KNEE + room * np.tanh((magnitude - KNEE) / room), _BELOW_FULL_SCALE)
    limited: Block = np.where(magnitude > KNEE, np.copysign(bent, block), block).astype(np.float32)
    return limited
