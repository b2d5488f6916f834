"""The choice of a device's channels, e.g. a guitar in input 2 of an interface with eight.

Channels are counted from 1, as on the devices. A choice has one channel, which is used for both
sides, or two, left and right.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Shape ``(frames, channels)``; a stereo block has two."""

Channels: TypeAlias = tuple[int, ...]
"""One or two channels of a device, counted from 1."""

STEREO = 2
MOST_CHANNELS = 1024
"""Highest channel that may be chosen; ALSA's plug-ins offer 128."""


def channels_of(text: str) -> Channels:
    """Return the choice in a text, e.g. ``"2"`` or ``"3,4"``; raises `ValueError`."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        raise ValueError(f"{text!r} is no channel: give one, as in 2, or left and right, as in 3,4")
    return checked(tuple(map(int, parts)))


def checked(channels: Channels) -> Channels:
    """Return a valid choice as it is; raises `ValueError` for any other."""
    given = ",".join(map(str, channels))
    if not 1 <= len(channels) <= STEREO or len({*channels}) < len(channels):
        raise ValueError(f"{given} are no channels: give one, or two different ones")
    if not all(1 <= channel <= MOST_CHANNELS for channel in channels):
        raise ValueError(f"{given} is out of range: channels are 1 to {MOST_CHANNELS}")
    return channels


def channels_or_default(chosen: Channels | None, count: int) -> Channels:
    """Return the chosen channels, by default the first two of a device, or its only one."""
    return tuple(range(1, min(count, STEREO) + 1)) if chosen is None else chosen


def fault_of(channels: Channels, count: int) -> str:
    """Return why a device of so many channels lacks some, to follow its name; "" if it has them."""
    if max(channels) <= count:
        return ""
    there = "channel 1 only" if count == 1 else f"channels 1 to {count}"
    return f"has {there}, and not {' and '.join(map(str, channels))}"


def stereo(captured: Samples | None, frames: int, channels: Channels = (1, 2)) -> Samples:
    """Return a stereo copy of channels of a captured block; silence for None.

    One channel is used for both sides, and so is the only one of a block of one.
    """
    block = np.zeros((frames, STEREO), dtype=np.float32)
    if captured is not None:
        there = [min(channel, captured.shape[1]) - 1 for channel in channels]
        block[:] = captured[:, there]
    return block


def placed(block: Samples, width: int, channels: Channels = (1, 2)) -> Samples:
    """Return a stereo block on channels of a device, with silence on its others.

    `width` is the number of channels that are open. One channel plays the mean of both sides.
    """
    if channels == (1, 2) and width == STEREO:
        return block
    played = np.zeros((len(block), width), dtype=np.float32)
    mean = len(channels) == 1 or width == 1
    played[:, [min(channel, width) - 1 for channel in channels]] = (
        block.mean(axis=1, keepdims=True) if mean else block
    )
    return played
