"""``make bench-skew``: CPU time of clock drift compensation in the card's callback.

A stream of 2.5 ms Opus frames is pulled in blocks of 64 frames, including decoding: by a playout
without drift compensation, by one that finds no drift, and by one that resamples. The known work is
libopus alone, which decodes the same packets.
"""

import time
from pathlib import Path

import numpy as np

from bench.bars import bar, figure, publish
from bench.calibration import Compared
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.opus import OpusDecoder, OpusEncoder
from jamlab.media.playout.follower import FollowedRate
from jamlab.media.playout.playout import Playout
from jamlab.media.quality import LOW_LATENCY

RUNS = 3
BLOCK, FRAME = 64, LOW_LATENCY.frame_frames
SECONDS, SETTLING_S = 30, 10
LIMITS = 2.6, 3.3, 7.0


def packets():
    rng, encoder = np.random.default_rng(1), OpusEncoder(LOW_LATENCY)
    return [encoder.encode(rng.normal(0, 0.1, (FRAME, 2)).astype(np.float32)) for _ in range(400)]


def microseconds(payloads, drift=None):
    """Return a pull's average time for a sender's drift; None is without compensation."""
    clock_s = [0.0]
    decoder = OpusDecoder()
    playout = Playout(decoder, rate=None if drift is None else FollowedRate(lambda: clock_s[0]))
    rate, sent, spent_s = SAMPLE_RATE * (1 + (drift or 0.0)), 0, 0.0
    for block in range(SECONDS * SAMPLE_RATE // BLOCK):
        clock_s[0] = block * BLOCK / SAMPLE_RATE
        while (sent + 1) * FRAME / rate + 0.01 <= clock_s[0]:
            arrival_s = (sent + 1) * FRAME / rate + 0.01
            playout.receive(sent % 2**16, sent * FRAME, payloads[sent % len(payloads)], arrival_s)
            sent += 1
        began_s = time.process_time()
        playout.pull(BLOCK)
        spent_s += time.process_time() - began_s if clock_s[0] >= SETTLING_S else 0.0
    return spent_s / ((SECONDS - SETTLING_S) * SAMPLE_RATE / BLOCK) * 1e6


def decoding(payloads):
    """Return the time of libopus for the same sound, in µs a block."""
    decoder, frames = OpusDecoder(), (SECONDS - SETTLING_S) * SAMPLE_RATE // FRAME
    began_s = time.process_time()
    for number in range(frames):
        decoder.decode(payloads[number % len(payloads)])
    return (time.process_time() - began_s) / frames * BLOCK / FRAME * 1e6


def main():
    payloads = packets()
    ways = {"one clock": None, "equal clocks watched": 0.0, "200 ppm followed": 200e-6}
    took = {name: Compared(known=[decoding(payloads)]) for name in ways}
    for _ in range(RUNS):
        for name, drift in ways.items():
            took[name].measured.append(microseconds(payloads, drift))
            took[name].known.append(decoding(payloads))
    bars = [
        bar(f"a block of 64 frames, {name}, over decoding alone", each.ratios, "×", "≤", limit)
        for (name, each), limit in zip(took.items(), LIMITS, strict=True)
    ]
    bars += [figure(f"a block, {name}", each.measured, "µs") for name, each in took.items()]
    publish(bars, Path("reports/bench-skew.json"))


if __name__ == "__main__":
    main()
