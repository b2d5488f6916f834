"""A track of encoded frames that aiortc packs and sends: that of a peer that is no jamlab."""

import asyncio
from fractions import Fraction

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from jamlab.audio.pcm import SAMPLE_RATE


class QueuedTrack(MediaStreamTrack):
    """An audio track of encoded frames, kept until aiortc's task takes them."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self._queue = asyncio.Queue()

    def send(self, frame):
        packet = Packet(frame.payload)
        packet.pts, packet.time_base = frame.position, Fraction(1, SAMPLE_RATE)
        self._queue.put_nowait(packet)

    def stop(self):
        super().stop()
        self._queue.put_nowait(None)

    async def recv(self):
        packet = await self._queue.get() if self.readyState == "live" else None
        if packet is None:
            raise MediaStreamError
        return packet
