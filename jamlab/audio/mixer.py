"""Many streams into one, without clipping.

Streams are added as floats, which cannot overflow. What leaves the mixer must fit a card's ±1.0, so
a soft limiter bends what lies above −3 dBFS: below the knee it is exactly transparent (one player
at a normal level is not touched at all), above it a tanh with the same slope at the knee approaches
full scale without ever reaching it. It has no memory, so it adds no latency and cannot pump.
"""

from collections.abc import Iterable

import numpy as np

from jamlab.audio.pcm import Block, silence

KNEE = 10 ** (-3 / 20)
"""Where limiting begins: −3 dBFS, as an amplitude."""

_BELOW_FULL_SCALE = np.nextafter(np.float32(1), np.float32(0))  # where float32's tanh says 1


def mix(blocks: Iterable[Block], frames: int) -> Block:
    """Add blocks and limit the sum.

    Parameters
    ----------
    blocks : iterable of Block
        Each of shape ``(frames, 2)``.
    frames : int
        Length of the result, also when there are no blocks.
    """
    total = silence(frames)
    for block in blocks:
        total += block
    return soft_limit(total)


def soft_limit(block: Block) -> Block:
    """Bend samples above `KNEE` so that none reaches full scale; return others unchanged."""
    magnitude = np.abs(block)
    if magnitude.max(initial=0.0) <= KNEE:
        return block
    room = 1 - KNEE
    bent = np.minimum(KNEE + room * np.tanh((magnitude - KNEE) / room), _BELOW_FULL_SCALE)
    limited: Block = np.where(magnitude > KNEE, np.copysign(bent, block), block).astype(np.float32)
    return limited
