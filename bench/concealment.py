"""``make bench-concealment``: which concealment of a lost packet music bears best.

Music is encoded in frames of 5 ms and loses 1 % of them, each by itself. libopus' own concealment
is compared with others in its place: silence, the last frame again, the place in the past that is
most like the end (waveform similarity), and linear prediction. All continue for 2.5 ms into the
next frame and cross-fade there; libopus' decoder conceals as well, for its own state.

Two scores: zimtohrli's figure of the worse channel against the sound played (relative, 1 to 5), and
the signal-to-noise ratio of the lost frames and those behind them, against the same decoder
without losses.
"""

import time
from pathlib import Path

import numpy as np
from scipy import linalg, signal
from zimtohrli import Pyohrli, mos_from_zimtohrli

from bench.bars import bar, figure, publish
from bench.recordings import programme
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.opus import OpusDecoder, OpusEncoder
from jamlab.media.quality import Quality

FRAME = 240
ENCODING = Quality("5 ms", 128_000, FRAME, "restricted_lowdelay")
FADE = 120
PAST = 4800
LOSS = 0.01
SECONDS = 6
SEEDS = 1, 2, 3
PROGRAMMES = "plucked strings", "chords and drums", "tones", "drums"
CLEARLY = 0.1
"""How much better than libopus' an alternative has to be, on the mean of all music, to be used."""


def silence(past, frames):
    """Return nothing but zeros."""
    return np.zeros((frames, 2))


def repetition(past, frames):
    """Return the last frame over and over."""
    return np.tile(past[-FRAME:], (frames // FRAME + 1, 1))[:frames]


def similarity(past, frames, template=480, longest=2400, shortest=120):
    """Return what followed the place in the past that is most like its end."""
    mono = past.mean(axis=1)
    region, end = mono[-template - longest : -shortest], mono[-template:]
    alike = np.correlate(region, end, "valid")
    energy = np.convolve(region**2, np.ones(template), "valid")
    period = longest - int(np.argmax(alike / np.sqrt(energy + 1e-9)))
    return np.tile(past[-period:], (frames // period + 1, 1))[:frames]


def prediction(past, frames, order=128, window=1920):
    """Return the linear prediction of each channel."""
    fade_in = np.concatenate((np.hanning(window)[: window // 2], np.ones(window - window // 2)))
    predicted = np.empty((frames, 2))
    for channel in range(2):
        sound = past[-window:, channel].astype(np.float64)
        spectrum = np.fft.rfft(sound * fade_in, 2 * window)
        correlation = np.fft.irfft(np.abs(spectrum) ** 2)[: order + 1]
        correlation[0] += 1e-9 + 1e-9 * correlation[0]
        ahead = linalg.solve_toeplitz(correlation[:-1], correlation[1:])
        inverse = np.concatenate(([1.0], -ahead))
        state = signal.lfiltic([1.0], inverse, sound[::-1][:order])
        predicted[:, channel] = signal.lfilter([1.0], inverse, np.zeros(frames), zi=state)[0]
    return predicted


WAYS = {
    "libopus": None,
    "silence": silence,
    "repetition": repetition,
    "waveform similarity": similarity,
    "linear prediction": prediction,
}


def strings(seconds, seed):
    """Generate plucked strings (Karplus and Strong), four at a time."""
    rng, sound = np.random.default_rng(seed), np.zeros(seconds * SAMPLE_RATE)
    for start in range(0, len(sound), SAMPLE_RATE // 3):
        for note in rng.choice(np.arange(40, 76), 4, replace=False):
            turn = rng.uniform(-1, 1, round(SAMPLE_RATE / (440 * 2 ** ((note - 69) / 12))))
            at = start
            while at < min(len(sound), start + SAMPLE_RATE):
                rest = sound[at : at + len(turn)]
                rest += turn[: len(rest)]
                at += len(turn)
                turn = 0.498 * (turn + np.roll(turn, 1))
    return sound / np.abs(sound).max()


def music(name, seed):
    """Return a piece of one of `PROGRAMMES`, the same in both channels but for a weaker echo."""
    made = strings(SECONDS, seed) if name == PROGRAMMES[0] else programme(name, SECONDS, seed)
    mono = np.asarray(made[: SECONDS * SAMPLE_RATE])
    return (0.5 * np.stack((mono, 0.9 * np.roll(mono, 31)), axis=1)).astype(np.float32)


class Concealer:
    """A decoder that conceals in one of `WAYS`."""

    def __init__(self, extend):
        self.took_s = []
        self._extend = extend
        self._decoder = OpusDecoder()
        self._past = np.zeros((PAST, 2))
        self._ahead = None

    def conceal(self):
        """Return a frame in the place of a lost one."""
        block = self._decoder.conceal(FRAME)
        if self._extend is not None:
            began_s = time.process_time()
            ahead = self._extend(self._past, FRAME + FADE)
            self.took_s.append(time.process_time() - began_s)
            block, self._ahead = ahead[:FRAME], ahead[FRAME:]
        return self._heard(block)

    def decode(self, payload):
        """Return a frame, with what was ahead of it faded out."""
        block = self._decoder.decode(payload).astype(np.float64)
        if self._ahead is not None:
            weight = np.linspace(0, 1, FADE, endpoint=False)[:, None]
            block[:FADE] = (1 - weight) * self._ahead + weight * block[:FADE]
            self._ahead = None
        return self._heard(block)

    def _heard(self, block):
        self._past = np.concatenate((self._past[len(block) :], block))
        return block


def played(payloads, lost, extend):
    """Return the sound of a stream that loses frames, and the time of each concealment."""
    concealer = Concealer(extend)
    blocks = [
        concealer.conceal() if number in lost else concealer.decode(payload)
        for number, payload in enumerate(payloads)
    ]
    return np.concatenate(blocks), concealer.took_s


def zimtohrli(truth, heard):
    """Return the figure of the worse channel."""
    compare = Pyohrli().distance
    pairs = zip(truth.T.astype(np.float32), heard.T.astype(np.float32), strict=True)
    return float(mos_from_zimtohrli(max(compare(a.copy(), b.copy()) for a, b in pairs)))


def scores(name, seed):
    """Return zimtohrli's figure, the ratio in dB and the median time of each way."""
    sound, encoder = music(name, seed), OpusEncoder(ENCODING)
    starts = range(0, len(sound) - FRAME + 1, FRAME)
    payloads = [encoder.encode(sound[at : at + FRAME]) for at in starts]
    dice = np.random.default_rng(seed).random(len(payloads)) < LOSS
    lost = {number for number in np.flatnonzero(dice) if number > PAST // FRAME}
    whole, _ = played(payloads, set(), None)
    damaged = np.isin(np.arange(len(whole)) // FRAME, [k + near for k in lost for near in (0, 1)])
    ahead = ENCODING.lookahead_frames
    found = {}
    for way, extend in WAYS.items():
        heard, took_s = played(payloads, lost, extend)
        error = np.square(heard[damaged] - whole[damaged]).sum()
        ratio_db = 10 * np.log10(np.square(whole[damaged]).sum() / error)
        truth = sound[: len(heard) - ahead]
        found[way] = zimtohrli(truth, heard[ahead:]), float(ratio_db), took_s
    return found


def rows():
    """Return the scores of each way, and whether libopus' concealment is the right one."""
    found = {name: [scores(name, seed) for seed in SEEDS] for name in PROGRAMMES}
    table, means = [], {}
    for way in WAYS:
        runs = {name: [each[way] for each in takes] for name, takes in found.items()}
        means[way] = float(np.mean([score for takes in runs.values() for score, _, _ in takes]))
        for name, takes in runs.items():
            title = f"{name}, {way}"
            table.append(figure(f"{title}: zimtohrli", [score for score, _, _ in takes], "of 5"))
            table.append(figure(f"{title}: damaged frames", [db for _, db, _ in takes], "dB"))
        took_s = [each for takes in runs.values() for *_, times in takes for each in times]
        if took_s:
            table.append(figure(f"{way}: a concealment", [1e6 * float(np.median(took_s))], "µs"))
        table.append(figure(f"all music, {way}: zimtohrli", [means[way]], "of 5"))
    best = max(mean for way, mean in means.items() if way != "libopus")
    kept = bar("best alternative less libopus", [best - means["libopus"]], "of 5", "<", CLEARLY)
    return [kept, *table]


def main():
    publish(rows(), Path("reports/bench-concealment.json"))


if __name__ == "__main__":
    main()
