"""Made-up reports of a mesh, with chosen clocks, latencies and delays."""

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.live_mesh.messages import Hearing, MeshReport, MeshRequest
from jamlab.measure.live_mesh.record import record_of
from tests.measure.live_mesh.simulated_mesh import clock

TRUE_START_S = 100.0
PACKET_FRAMES = 240
LATE_S = 0.4  # from one participant's start to the next one's
FLOOR_MS = (PACKET_FRAMES + 120 + 64) / SAMPLE_RATE * 1000


def a_request(names=("ada", "ben", "cleo"), clicks=24, bpm=480.0):
    return MeshRequest("0123", bpm, clicks, {name: voice for voice, name in enumerate(names)})


class Mesh:
    """Participants whose clicks take `latency_s(a, b)` and whose packets take `delay_s(a, b)`."""

    def __init__(self, clocks, latency_s, delay_s, request=None, heard=lambda a, b, click: True):
        self.clocks, self.latency_s, self.delay_s, self.heard = clocks, latency_s, delay_s, heard
        self.request = request or a_request(tuple(clocks))
        self.starts_s = {n: TRUE_START_S + LATE_S * k for k, n in enumerate(clocks)}

    def emitted_s(self, name, click):
        """When a click was emitted, in true time."""
        return self.starts_s[name] + self.request.metronome(name).onset(click) / SAMPLE_RATE

    def hearing(self, sender, receiver):
        own = self.clocks[receiver]
        clicks = range(self.request.clicks)
        heard_s = [self.emitted_s(sender, k) + self.latency_s(sender, receiver) for k in clicks]
        return Hearing.since(
            own.at(self.starts_s[receiver]),
            [
                (own.at(at_s) if self.heard(sender, receiver, k) else np.nan, 0.9)
                for k, at_s in enumerate(heard_s)
            ],
            self.arrivals(sender, receiver),
            origin=self.origin(receiver, sender),
            played_frames=99_000,
            concealed_frames=1_000,
        )

    def origin(self, sender, receiver):
        """RTP timestamp of the sender's start, on its stream to the receiver; some wrap round."""
        names = sorted(self.clocks)
        return (2**32 - 1000 * names.index(sender) - 7 * names.index(receiver)) % 2**32

    def arrivals(self, sender, receiver):
        for position in range(0, 8 * SAMPLE_RATE, SAMPLE_RATE // 2):
            sent_s = self.starts_s[sender] + (position + PACKET_FRAMES) / SAMPLE_RATE
            came_s = sent_s + self.delay_s(sender, receiver)
            timestamp = (self.origin(sender, receiver) + position) % 2**32
            yield timestamp, self.clocks[receiver].at(came_s)

    def report(self, name):
        began_s = self.clocks[name].at(self.starts_s[name])
        return MeshReport(
            token=self.request.token,
            began_s=began_s,
            frame_s=(1 + self.clocks[name].skew) / SAMPLE_RATE,
            clock_error_s=0.0,
            packet_frames=PACKET_FRAMES,
            sending_frames=PACKET_FRAMES + 120,
            playing_frames=64,
            card_blocks=1000,
            card_underruns=10,
            lag_p99_ms=1.5,
            hearings={n: self.hearing(n, name) for n in self.clocks if n != name},
        )

    def record(self, **others):
        """Return the record of everybody's reports, and of others' answers."""
        return record_of(self.request, {n: self.report(n) for n in self.clocks} | others)


def even_mesh(names=("ada", "ben", "cleo"), latency_s=0.03, delay_s=0.015, **options):
    return Mesh(
        {name: clock() for name in names}, lambda a, b: latency_s, lambda a, b: delay_s, **options
    )
