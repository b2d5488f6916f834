"""Two cards of different rates with a network between them, in virtual time, and a test tone.

The tone is ``exp(jωp)`` at position *p*, real part left and imaginary part right, so the phase of
what is played says which position it is, to a fraction of a frame. Its period is 48 frames and the
golden section, so no slip by whole frames looks like none.
"""

import heapq
import struct
from dataclasses import dataclass, field

import numpy as np

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.playout.follower import FollowedRate
from jamlab.media.playout.playout import Playout

PERIOD = 48 + (5**0.5 - 1) / 2
OMEGA = 2 * np.pi / PERIOD


class ToneDecoder:
    """Decodes a position into the tone there; invents silence."""

    def __init__(self):
        self._tables = {}

    def decode(self, payload):
        position, frames = struct.unpack(">qH", payload)
        table = self._tables.get(frames)
        if table is None:
            table = self._tables[frames] = np.exp(1j * OMEGA * np.arange(frames))
        tone = table * np.exp(1j * (OMEGA * position % (2 * np.pi)))
        return tone.view(np.float64).reshape(-1, 2).astype(np.float32)

    def conceal(self, frames):
        return np.zeros((frames, 2), np.float32)


def no_delay(k):
    return 0.020


@dataclass
class Path:
    """A sender with a card of nominal rate, a network, and our card, `ppm` slower than it.

    Time is the sender's: a packet is complete when its last frame is captured. `frame` may be set
    to another length, and `origins` to another beginning of the stream, for the packets to come.
    """

    ppm: float = 0.0
    block: int = 64
    frame: int = 120
    delay_s: object = no_delay
    """Of packet *k*, in seconds; None when it is lost."""
    lag_s: object = None
    """How much later than due the loop is at a time, in seconds."""
    decoder: object = None
    payload: object = None
    """Of packet *k*, when not for a `ToneDecoder`."""
    origins: tuple = (0, 0)
    """Sequence number and timestamp of the first packet."""
    played: list = field(default_factory=list)

    def __post_init__(self):
        self.rate = SAMPLE_RATE / (1 + self.ppm * 1e-6)
        self.now_s = 0.0
        self.card = FollowedRate(lambda: self.now_s)
        self.playout = Playout(self.decoder or ToneDecoder(), rate=self.card)
        self.frames = 0
        self.stopped_s = 0.0  # what our card let go by; add to it, and it does
        self._sent = self._captured = 0
        self._flying = []

    @property
    def due_s(self):
        return self.frames / self.rate + self.stopped_s

    def run(self, seconds, keep=None):
        """Play on; `keep(block)` is told every block, or all are kept in `played`."""
        keep = keep or self.played.append
        until = self.frames + seconds * self.rate
        while self.frames < until:
            self.frames += self.block
            self.deliver()
            block = self.playout.pull(self.block)
            assert block.shape == (self.block, 2)
            keep(block)
        return self

    def deliver(self):
        """Let the time of our card's callback come, and all packets until then."""
        called_s = self.due_s + (self.lag_s(self.due_s) if self.lag_s else 0.0)
        self._send(called_s)
        self._deliver(called_s)
        self.now_s = max(self.now_s, called_s)

    def _send(self, until_s):
        while (self._captured + self.frame) / SAMPLE_RATE <= until_s:
            k, position = self._sent, self._captured
            self._sent, self._captured = k + 1, position + self.frame
            delay_s = self.delay_s(k)
            if delay_s is not None:
                payload = struct.pack(">qH", position, self.frame)
                sequence, timestamp = k + self.origins[0], position + self.origins[1]
                packet = sequence % 2**16, timestamp % 2**32, payload
                heapq.heappush(self._flying, (self._captured / SAMPLE_RATE + delay_s, k, packet))

    def _deliver(self, until_s):
        while self._flying and self._flying[0][0] <= until_s:
            self.now_s, k, (sequence, timestamp, payload) = heapq.heappop(self._flying)
            payload = self.payload(k) if self.payload else payload
            self.playout.receive(sequence, timestamp, payload, self.now_s)

    @property
    def sound(self):
        return np.concatenate(self.played)

    @property
    def counters(self):
        return self.playout.counters


def latency_s(frame, sample, path):
    """How long ago what is played as a frame of the card was captured, to whole periods.

    Parameters
    ----------
    frame : int
        Frame of our card.
    sample : array, shape (2,)
        What is played then.
    """
    position = np.angle(complex(*sample)) / OMEGA
    played_s = frame / path.rate + path.stopped_s
    return (played_s * SAMPLE_RATE - position) % PERIOD / SAMPLE_RATE


class Slips:
    """Watches a tone sample by sample for anything that is no even tone.

    ``x[n-1] + x[n+1] - 2 cos(ω) x[n]`` of a sine is 0; a step of its phase by δ leaves some δ.
    """

    def __init__(self, omega=OMEGA):
        self.worst = 0.0
        self._kept = np.zeros((0, 2), np.float32)
        self._factor = np.float32(2 * np.cos(omega))

    def __call__(self, blocks):
        sound = np.concatenate([self._kept, *blocks])
        left = sound[:, 0]
        rest = np.abs(left[2:] + left[:-2] - self._factor * left[1:-1])
        if len(rest):
            self.worst = max(self.worst, float(rest.max()))
        self._kept = sound[-2:]


def spectral_purity_db(sound, guard_hz=25.0):
    """Energy outside the main lobe of the strongest line, below the line's, in dBc.

    A window of seven terms (Albrecht, ICASSP 2001) has side lobes far below what is looked for.
    """
    terms = (0.27122036, 0.43344461, 0.21800412, 0.06578534, 0.0107618673, 7.700127e-4, 1.368e-5)
    n = 2 * np.pi * np.arange(len(sound)) / len(sound)
    window = sum((-1) ** k * a * np.cos(k * n) for k, a in enumerate(terms))
    power = np.abs(np.fft.rfft(sound * window)) ** 2
    peak = int(power.argmax())
    guard = int(np.ceil(guard_hz * len(sound) / SAMPLE_RATE))
    lobe = slice(max(peak - guard, 0), peak + guard + 1)
    inside = power[lobe].sum()
    return 10 * np.log10((power.sum() - inside) / inside)
