"""A playout buffer of a constant delay."""

import numpy as np

from jamlab.measure.playout.packets import PacketTimes
from jamlab.measure.playout.playback import NEVER, Playback


def constant(packets: PacketTimes, delay_frames: float) -> Playback:
    """Return what a buffer of a constant delay above the floor makes of a stream's packets."""
    due = packets.captured_frames + (packets.floor_frames + delay_frames)
    due_frames = np.ceil(due).astype(np.int64)
    late = packets.needs_frames > delay_frames
    concealed = np.full(np.count_nonzero(late), packets.frame_frames, np.int64)
    return Playback(packets, np.where(late, NEVER, due_frames), due_frames[late], concealed)
