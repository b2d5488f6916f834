"""``make bench-playout``: jamlab's playout buffer against bounds, rivals and time, by replay.

Traces are the arguments, the files in the folder that ``JAMLAB_TRACES`` names, or else those
that ship. All buffers play the same packets. ``python -m bench.playout --hours 0`` leaves out the
long stream.
"""

import argparse
import os
import pickle
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.bars import bar, figure, publish
from bench.calibration import Compared
from bench.replayed import replayed
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.playout.packets import packets_of
from jamlab.measure.playout.plan import PlayoutPlan
from jamlab.measure.playout.record import BEST_PER_SECOND, JAMLAB, RIVALS, STOCK
from jamlab.measure.playout.replay import replay
from jamlab.measure.playout.run import estimator_for, measure_playout
from jamlab.measure.playout.verdicts import MOST_OVER_ACCEPTED, MOST_OVER_BEST, delay_at
from jamlab.media.opus import OpusDecoder, OpusEncoder
from jamlab.media.quality import LOW_LATENCY
from jamlab.networks.model.delay_table import shipped_delays
from jamlab.networks.model.packet_trace import delays_of
from jamlab.networks.model.stalls import shipped_stalls
from jamlab.networks.model.trace import DelayTrace
from jamlab.networks.traces.reading import read_trace

RUNS = 3
ACCEPTED_PERCENT = 0.1, 0.5, 1.0
STALL_S, STALLED_AT_S = 0.5, 30.0
SKEWS_PPM = 100.0, -100.0
HOUR_S = 3600.0
LEAST_OVER_STOCK = 5.0
MOST_GROWTH = 1.05
TRACES = "JAMLAB_TRACES"
CARS = "5g_public_car.csv.gz", "5g_private_car.csv.gz"
MODELS = "Wi-Fi", "bad Wi-Fi"


def traces(paths):
    """Return the traces of some files, of a folder, or those that ship."""
    folder = os.environ.get(TRACES)
    if not paths and folder:
        paths = sorted(each for each in Path(folder).iterdir() if ".csv" in each.suffixes)
    if not paths:
        return [*map(shipped_delays, CARS), *map(shipped_stalls, MODELS)]
    return [delays_of(read_trace(Path(path))) for path in paths]


def compared(record):
    """Yield the rows of a comparison: bounds, accepted shares, rivals and stock aiortc."""
    for trace in record.traces:
        played = record.playbacks[record.playbacks["trace"] == trace]
        bounds = record.bounds[record.bounds["trace"] == trace]
        best = bounds[bounds["bound"] == BEST_PER_SECOND].set_index("accepted_share")["least_ms"]
        lost = record.streams.set_index("trace").loc[trace, "worst_lost_share"]
        own = played[played["buffer"] == JAMLAB].set_index("accepted_share")
        for share, row in own.iterrows():
            where = f"{trace}, {100 * share:g} % accepted"
            if np.isfinite(best[share]) and best[share] > 0:
                over = row["delay_ms"] / best[share]
                yield bar(f"{where}: delay over best per second", [over], "×", "≤", MOST_OVER_BEST)
            if lost <= share:
                over = row["worst_share"] / share
                name = f"{where}: concealed in 2 min over accepted"
                yield bar(name, [over], "×", "≤", MOST_OVER_ACCEPTED)
            for rival in RIVALS:
                other = delay_at(played[played["buffer"] == rival], row["concealed_share"])
                name = f"{where}: delay over {rival}, equal concealment"
                yield bar(name, [row["delay_ms"] / other], "×", "<", 1)
        stock = float(played[played["buffer"] == STOCK]["delay_ms"].iloc[0])
        over = stock / own["delay_ms"].iloc[0]
        name = f"{trace}: stock aiortc's delay over jamlab's at {100 * own.index[0]:g} %"
        yield bar(name, [over], "×", "≥", LEAST_OVER_STOCK)


def steady(duration_s, stall_s=0.0, seed=1):
    """Return a trace of ordinary jitter, with a stall."""
    random = np.random.default_rng(seed)
    sent_s = 0.005 * np.arange(int(duration_s / 0.005))
    arrival_s = sent_s + 0.01 + random.gamma(2, 0.0005, len(sent_s))
    stalled = (arrival_s > STALLED_AT_S) & (arrival_s < STALLED_AT_S + stall_s)
    arrival_s[stalled] = STALLED_AT_S + stall_s
    return DelayTrace("steady", sent_s, arrival_s - sent_s)


def back_after_stall_s(seed):
    """Return the time after a stall until the delay stays within 10 % of what it was."""
    packets = packets_of(steady(60, STALL_S, seed))
    playback = replay(packets, estimator_for(ACCEPTED_PERCENT[0] / 100))
    played_s = playback.played_frames[playback.is_played] / SAMPLE_RATE
    before = (played_s > STALLED_AT_S - 10) & (played_s < STALLED_AT_S)
    was_s = playback.delay_s[before].mean()
    over = (playback.delay_s > 1.1 * was_s) & (played_s > STALLED_AT_S)
    ended_s = STALLED_AT_S + STALL_S
    return max(0.0, float(played_s[over].max(initial=ended_s)) - ended_s)


def long_stream(trace, hours, skew_ppm):
    """Return how much delay, packets never played and the estimator's memory grow.

    Delays and packets are those of the last whole rounds of the trace over those of as many after
    the first; the memory is that after all rounds over that after the first hour.
    """
    estimator, begun = (estimator_for(ACCEPTED_PERCENT[-1] / 100) for _ in range(2))
    replay(packets_of(trace, HOUR_S, skew_ppm=skew_ppm), begun)
    packets = packets_of(trace, hours * HOUR_S, skew_ppm=skew_ppm)
    playback = replay(packets, estimator)
    memory = len(pickle.dumps(estimator)) / len(pickle.dumps(begun))
    turn = packets.captured_frames // (trace.duration_s * SAMPLE_RATE)
    last, many = int(turn[-1]), int(np.ceil(HOUR_S / trace.duration_s))
    early = (turn >= 1) & (turn <= many)
    late = (turn >= last - many) & (turn < last)
    played, delay_s = playback.is_played, playback.delay_s
    grown = delay_s[late[played]].mean() / delay_s[early[played]].mean()
    return grown, (~played[late]).sum() / max((~played[early]).sum(), 1), memory


def growth(trace, hours):
    """Yield the rows of a stream of many hours from a card with another clock."""
    found = [long_stream(trace, hours, skew_ppm) for skew_ppm in SKEWS_PPM]
    names = "delay", "packets never played", "memory of the estimator"
    for name, values in zip(names, zip(*found, strict=True), strict=True):
        words = f"{name} after {hours} h at ±100 ppm, over the beginning's, at most"
        yield bar(words, [max(values)], "×", "≤", MOST_GROWTH)


def hour_s(trace):
    """Return the time that the replay of an hour takes."""
    packets = packets_of(trace, HOUR_S)
    packets.by_arrival, packets.playable_frames  # noqa: B018 - the packets are not the replay
    began_s = time.process_time()
    replay(packets, estimator_for(0.005))
    return time.process_time() - began_s


def controller_us(packets):
    """Return the time of the estimator for a packet: it sees it, and is asked once."""
    estimator = estimator_for(0.005)
    seen_at = packets.playable_frames[packets.by_arrival]
    needed = seen_at - packets.by_arrival * packets.frame_frames
    steps = list(zip(seen_at.tolist(), needed.tolist(), strict=True))
    began_s = time.process_time()
    for now, needs in steps:
        estimator.observe(now, needs)
        estimator.correction(now, estimator.target_frames)
    return (time.process_time() - began_s) / len(steps) * 1e6


def decode_us():
    """Return the time of libopus for a frame of 5 ms."""
    quality = replace(LOW_LATENCY, frame_frames=240)
    encoder, decoder = OpusEncoder(quality), OpusDecoder()
    random = np.random.default_rng(1)
    shape = (quality.frame_frames, 2)
    payloads = [encoder.encode(random.normal(0, 0.1, shape).astype(np.float32)) for _ in range(200)]
    began_s = time.process_time()
    for _ in range(10):
        for payload in payloads:
            decoder.decode(payload)
    return (time.process_time() - began_s) / (10 * len(payloads)) * 1e6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("traces", nargs="*", type=Path)
    parser.add_argument("--hours", type=int, default=24)
    options = parser.parse_args()
    networks = traces(options.traces)
    record = measure_playout(PlayoutPlan(tuple(networks), ACCEPTED_PERCENT))
    bars = list(compared(record))
    back_s = [back_after_stall_s(seed) for seed in range(1, 1 + RUNS)]
    bars.append(bar(f"back after a stall of {1000 * STALL_S:.0f} ms", back_s, "s", "≤", 2))
    if options.hours:
        bars += growth(networks[0], options.hours)
    took_s = [hour_s(networks[0]) for _ in range(RUNS)]
    bars.append(bar("replay of an hour", took_s, "s", "≤", 5))
    packets = packets_of(networks[0])
    cost = Compared(known=[decode_us()])
    for _ in range(RUNS):
        cost.measured.append(controller_us(packets))
        cost.known.append(decode_us())
    bars.append(bar("controller for a packet, over decoding a frame", cost.ratios, "×", "≤", 0.5))
    bars.append(figure("controller for a packet", cost.measured, "µs"))
    bars += replayed()
    publish(bars, Path("reports/bench-playout.json"))


if __name__ == "__main__":
    main()
