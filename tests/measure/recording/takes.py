"""Recordings whose delays are known: made with numpy's and scipy's FFT, and not by the package."""

import math
from fractions import Fraction

import av
import numpy as np
import soundfile
from scipy import signal

from jamlab.audio.metronome import CLICK_FRAMES, Metronome

RATE = 48_000


def track(clicks, bpm=119.0, voice=0, first_s=0.25, dropped=(), tail_s=1.0):
    """The metronome's track, mono, with some clicks left out."""
    metronome = Metronome(bpm, voice, -12.0, first_s)
    sound = np.zeros(metronome.onset(clicks) + round(tail_s * RATE))
    for number in set(range(clicks)) - set(dropped):
        onset = metronome.onset(number)
        sound[onset : onset + CLICK_FRAMES] += metronome.click(number)
    return sound


def delayed(sound, frames):
    """Delay by a phase ramp: exact for band-limited sound, whatever the fraction."""
    length = len(sound) + math.ceil(abs(frames)) + 64
    padded = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(sound, padded)
    spectrum *= np.exp(-2j * np.pi * np.fft.rfftfreq(padded) * frames)
    return np.fft.irfft(spectrum, padded)[: len(sound)]


def stretched(sound, ppm):
    """Recorded by a clock that counts `ppm` more frames: read at places between its samples."""
    places = np.arange(round(len(sound) * (1 + ppm / 1e6))) / (1 + ppm / 1e6)
    return at_places(sound, places)


def at_places(sound, places):
    """Interpolate with a windowed sinc of 64 samples."""
    padded = np.concatenate([np.zeros(32), sound, np.zeros(64)])
    whole = np.floor(places).astype(int)
    result = np.zeros(len(places))
    for tap in range(-31, 33):
        distance = places - whole - tap
        window = np.cos(np.pi * distance / 66) ** 2
        result += padded[np.minimum(whole + tap + 32, len(padded) - 1)] * np.sinc(distance) * window
    return result


def at_rate(sound, rate):
    """At another sample rate, by scipy's polyphase filter with a long window."""
    ratio = Fraction(rate, RATE)
    up, down = ratio.numerator, ratio.denominator
    most = max(up, down)
    taps = signal.firwin(2 * 64 * most + 1, 0.96 / most, window=("kaiser", 12.0))
    return signal.resample_poly(sound, up, down, window=taps)


def noise(rng, sound, snr_db, like):
    """White noise: its power is so far below that of a click while it sounds."""
    power = np.mean(np.square(like[np.flatnonzero(like)[0] :][:CLICK_FRAMES]))
    return sound + rng.normal(0, np.sqrt(power) * 10 ** (-snr_db / 20), len(sound))


def chords_and_drums(seconds, seed):
    """Chords with vibrato and drums, of the click's band."""
    rng, time_s = np.random.default_rng(seed), np.arange(seconds * RATE) / RATE
    sound = np.zeros(len(time_s))
    for begin_s in np.arange(0, seconds, 0.5):
        within = (time_s >= begin_s) & (time_s < begin_s + 0.6)
        local_s = time_s[within] - begin_s
        for pitch in rng.choice(np.arange(40, 100), 4, replace=False):
            hz = 440 * 2 ** ((pitch - 69) / 12)
            for partial in range(1, 9):
                bend = 0.004 * np.sin(2 * np.pi * rng.uniform(4, 7) * local_s)
                wave = np.sin(2 * np.pi * hz * partial * (local_s + bend * local_s))
                sound[within] += 0.05 / partial * np.exp(-3 * local_s) * wave
        drum = rng.normal(0, 0.2, int(within.sum())) * np.exp(-40 * local_s)
        sound[within] += drum
    return sound / np.abs(sound).max()


def write(path, *channels, rate=RATE, subtype="PCM_24"):
    """Write channels of any length as one file."""
    length = max(map(len, channels))
    sound = np.stack([np.pad(each, (0, length - len(each))) for each in channels], axis=1)
    with path.open("wb") as content:
        soundfile.write(content, sound, rate, subtype, format=path.suffix[1:].upper())
    return path


def encoded(path, codec, *channels, bit_rate=128_000):
    """Write channels through a lossy codec of FFmpeg's."""
    length = max(map(len, channels))
    sound = np.stack([np.pad(each, (0, length - len(each))) for each in channels])
    layout = "stereo" if len(channels) == 2 else "mono"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        stream.bit_rate = bit_rate
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(sound.astype(np.float32), "fltp", layout)
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=RATE)
        for converted in resampler.resample(frame):
            fifo.write(converted)
        size = stream.codec_context.frame_size or 1152
        while (part := fifo.read(size)) is not None:
            container.mux(stream.encode(part))
        if (rest := fifo.read(partial=True)) is not None:
            container.mux(stream.encode(rest))
        container.mux(stream.encode(None))
    return path
