"""A mesh on unmodified (stock) aiortc, through its tracks and frames, for comparison.

Cards, metronomes and recordings are jamlab's. Between them is stock aiortc: 20 ms frames encoded
once per peer, its jitter buffer, its decoder threads, and the shortest queue that feeds a card.
"""

import asyncio
import fractions
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection
from aiortc.mediastreams import MediaStreamError

from jamlab.audio.card import Recording, VirtualCard
from jamlab.audio.mixer import mix
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, silence
from jamlab.measure.latency.participants import Participant, Rig
from jamlab.measure.latency.plan import LatencyPlan

FRAME = 960


class FrameTrack(MediaStreamTrack):
    """A track of captured 20 ms frames for one peer."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.frames = asyncio.Queue()

    async def recv(self):
        return await self.frames.get()


class StockService:
    """An audio service that sends and plays through aiortc's tracks."""

    def __init__(self):
        self.connections = []
        self.tracks = []
        self.heard = []
        self.readers = []
        self._captured = silence(0)
        self._position = 0

    def exchange(self, captured):
        """Act as the card's callback: send a captured block, return the received sound."""
        self._captured = np.concatenate((self._captured, captured))
        while len(self._captured) >= FRAME:
            frame, self._captured = self._captured[:FRAME], self._captured[FRAME:]
            self._send(frame)
        return mix((self._take(queue, len(captured)) for queue in self.heard), len(captured))

    def _send(self, pcm):
        for track in self.tracks:
            samples = (np.clip(pcm, -1, 1) * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), layout="stereo")
            frame.sample_rate, frame.pts = SAMPLE_RATE, self._position
            frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
            track.frames.put_nowait(frame)
        self._position += FRAME

    @staticmethod
    def _take(queue, frames):
        block, filled = silence(frames), 0
        while queue and filled < frames:
            head = queue.popleft()
            count = min(len(head), frames - filled)
            block[filled : filled + count] = head[:count]
            if count < len(head):
                queue.appendleft(head[count:])
            filled += count
        return block

    def connect(self):
        """Return a connection that sends our sound and queues the received sound."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        track = FrameTrack()
        connection.addTrack(track)
        connection.on("track", self._listen)
        connection.on("connectionstatechange", lambda: self._start(connection, track))
        self.connections.append(connection)
        return connection

    def _start(self, connection, track):
        if connection.connectionState == "connected":
            self.tracks.append(track)

    def _listen(self, track):
        queue = deque()
        self.heard.append(queue)
        self.readers.append(asyncio.create_task(self._read(track, queue)))

    @staticmethod
    async def _read(track, queue):
        try:
            while True:
                frame = await track.recv()
                pcm = frame.to_ndarray().reshape(-1, CHANNELS).astype(np.float32) / 32768
                queue.append(pcm)
        except MediaStreamError:
            return

    async def close(self):
        for reader in self.readers:
            reader.cancel()
        await asyncio.gather(*(c.close() for c in self.connections))


async def join(near, far):
    """Connect two services; return once both are connected."""
    a, b = near.connect(), far.connect()
    await a.setLocalDescription(await a.createOffer())
    await b.setRemoteDescription(a.localDescription)
    await b.setLocalDescription(await b.createAnswer())
    await a.setRemoteDescription(b.localDescription)
    while {a.connectionState, b.connectionState} != {"connected"}:
        await asyncio.sleep(0.01)


@asynccontextmanager
async def stock_rig(plan: LatencyPlan) -> AsyncIterator[Rig]:
    """Connect a full mesh of stock aiortc connections."""
    participants = []
    for name, metronome in plan.metronomes().items():
        recording = Recording()
        card = VirtualCard(block_frames=plan.block_frames, recording=recording)
        participants.append(Participant(name, metronome, StockService(), card, recording))
        card.start(participants[-1].session.exchange)
    try:
        for number, newcomer in enumerate(participants):
            for there in participants[:number]:
                await join(there.session, newcomer.session)
        yield Rig(participants)
    finally:
        for participant in participants:
            participant.card.stop()
            await participant.session.close()


@asynccontextmanager
async def stock_player(block_frames: int = 64) -> AsyncIterator[StockService]:
    """Yield a service with a card that plays its sound, and whose captured sound it sends."""
    service, card = StockService(), VirtualCard(block_frames=block_frames)
    card.start(service.exchange)
    try:
        yield service
    finally:
        card.stop()
        await service.close()
