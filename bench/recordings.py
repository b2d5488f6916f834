"""``make bench-recordings``: recordings of known delays, analysed, against the bars of the figures.

The truth is made by numpy and scipy (`tests.measure.recording.takes`), never by the package. A
reading may be missing; none may be wrong. The speed is that of one core, in CPU time, and judged by
the length of the recording, for that is what its user waits for; it holds for an idle machine. The
memory is that of a process of its own.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from scipy import signal

from bench.bars import bar, figure, publish
from jamlab.audio.metronome import Metronome
from jamlab.measure.recording.analysis import analyse
from jamlab.measure.recording.delays import delay_table, pairs
from jamlab.measure.recording.listening.listener import BLOCK_S, Listener, Voices
from jamlab.measure.recording.reader import RecordingError
from tests.measure.recording.takes import (
    RATE,
    at_rate,
    chords_and_drums,
    delayed,
    encoded,
    noise,
    stretched,
    track,
    write,
)

CLICKS = 40
DELAYS = (0.3, 119.75, 1234.5, 9_876.1)
RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)
CODECS = (
    ("a.mp3", "libmp3lame", 128_000),
    ("a.ogg", "libopus", 64_000),
    ("a.m4a", "aac", 128_000),
)
SKEWS_PPM = (-500.0, -50.0, 7.0, 500.0)
WRONG_FRAMES = 24.0
"""Distance from the truth at which a reading is wrong, and not only noisy: half a millisecond."""
MUSIC_H = 10.0
SPEED_S = 3600
SNR_DB = 20
BELOW_DB = (0, -5, -10, -15, -20, -25)
"""Levels of clicks, RMS while one sounds, against the programme's RMS over its whole band."""
BELOW_CLICKS = 110
PROGRAMMES = (
    *("tones", "drums", "sweep", "swelling noise", "square waves"),
    *("pink noise", "chords and drums", "white noise"),
)


def take(delay, clicks=CLICKS):
    rng, sound = np.random.default_rng(round(delay)), track(clicks)
    return [noise(rng, each, SNR_DB, sound) for each in (sound, 0.5 * delayed(sound, delay))]


def off_frames(record, delay):
    """Return the errors of all readings of the only pair; those of drops are left out."""
    (pair,) = pairs(record)
    off = pair.delays_ms * RATE / 1000 - delay
    return off[np.isfinite(off)]


def errors(folder):
    """Return the error of the median at every rate and delay, and through every codec."""
    by_rate, by_codec, wrong = [], [], 0
    for delay in DELAYS:
        channels = take(delay)
        for rate in RATES:
            path = write(folder / "a.wav", *(at_rate(each, rate) for each in channels), rate=rate)
            off = off_frames(analyse(path), delay)
            by_rate.append(abs(float(np.median(off))))
            wrong += int((np.abs(off) > WRONG_FRAMES).sum())
        for name, codec, bit_rate in CODECS if delay > 1 else ():  # Opus makes them equal
            path = encoded(folder / name, codec, *channels, bit_rate=bit_rate)
            off = off_frames(analyse(path), delay)
            by_codec.append(abs(float(np.median(off))))
            wrong += int((np.abs(off) > WRONG_FRAMES).sum())
    return by_rate, by_codec, wrong


def room(rng, reverberation_s=0.6):
    """Return the response of a room: the direct sound, and a diffuse tail as strong as it."""
    time_s = np.arange(round(reverberation_s * RATE)) / RATE
    tail = rng.normal(0, 1, len(time_s)) * 10 ** (-3 * time_s / reverberation_s)
    tail[: RATE // 500] = 0
    tail /= np.linalg.norm(tail)
    tail[0] = 1.0
    return tail


def wrong_in_a_room(folder):
    """Return the wrong readings of a microphone in a room, and the share of clicks that it has."""
    wrong, shares = 0, []
    for seed in range(4):
        sound, rng = track(CLICKS), np.random.default_rng(seed)
        heard = signal.oaconvolve(delayed(sound, 4_000), room(rng))[: len(sound)]
        record = analyse(write(folder / "room.wav", sound, 0.3 * heard))
        first = [pair for pair in pairs(record) if record.name(pair.to) == "channel 2"]
        if not first:
            shares.append(0.0)
            continue
        off = first[0].delays_ms * RATE / 1000 - 4_000
        shares.append(float(np.isfinite(off).mean()))
        wrong += int((np.abs(off[np.isfinite(off)]) > WRONG_FRAMES).sum())
    return wrong, shares


def skew_errors(folder):
    sound = track(60)
    found = []
    for ppm in SKEWS_PPM:
        path = write(folder / "a.wav", sound, stretched(delayed(sound, 500), ppm))
        found.append(abs(float(delay_table(analyse(path))["skew_ppm"].iloc[0]) - ppm))
    return found


def music(seconds, rng, style=None):
    """Generate sound in one of several styles: chords, drums, a sweep, noise, square waves."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    style = rng.integers(5) if style is None else style
    if style == 0:
        sound = sum(
            np.sin(2 * np.pi * hz * time_s + 3 * np.sin(2 * np.pi * 5 * time_s))
            for hz in rng.uniform(100, 6000, 6)
        )
    elif style == 1:
        beats = np.zeros(len(time_s))
        beats[rng.integers(0, len(time_s), 40)] = rng.normal(0, 1, 40)
        decay = rng.normal(0, 1, RATE // 8) * np.exp(-np.arange(RATE // 8) / RATE * 30)
        sound = signal.oaconvolve(beats, decay)[: len(time_s)]
    elif style == 2:
        sound = signal.chirp(time_s, rng.uniform(50, 2000), seconds, rng.uniform(2000, 15_000))
    elif style == 3:
        sound = rng.normal(0, 1, len(time_s)) * (1 + np.sin(2 * np.pi * rng.uniform(1, 8) * time_s))
    else:
        sound = np.sign(np.sin(2 * np.pi * rng.uniform(50, 2000) * time_s)) * np.exp(-time_s % 0.25)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def programme(name, seconds, seed):
    """Generate a programme of one of `PROGRAMMES`, in pieces of ten seconds."""
    rng, style = np.random.default_rng(seed), PROGRAMMES.index(name)
    if name == "chords and drums":
        return chords_and_drums(math.ceil(seconds), seed)
    if name == "white noise":
        return rng.normal(0, 1, math.ceil(seconds) * RATE)
    if name == "pink noise":
        spectrum = np.fft.rfft(rng.normal(0, 1, math.ceil(seconds) * RATE))
        return np.fft.irfft(spectrum / np.sqrt(1 + np.arange(len(spectrum)) / seconds / 20))
    return np.concatenate([music(10, rng, style) for _ in range(math.ceil(seconds / 10))])


def rms(sound):
    return float(np.sqrt(np.mean(np.square(sound))))


def below(level_db, name, seed):
    """Return the figures of two takes of clicks in a programme, one of them beside a reference."""
    number = seed + PROGRAMMES.index(name)
    delay, voice = (9_876.1, 1_234.5)[number % 2], number % 4
    reference, metronome = track(BELOW_CLICKS, voice=voice), Metronome(119.0, voice)
    clicks = delayed(reference, delay)
    sound = programme(name, len(clicks) / RATE, seed)[: len(clicks)]
    gain = 10 ** (level_db / 20) * rms(sound) / rms(metronome.click(0))
    mixed = sound + gain * clicks
    mixed *= 0.5 / np.abs(mixed).max()
    figures = {"programme": name, "level_db": level_db, "found": 0, "read": 0, "wrong": 0}
    figures |= {"takes": 2, "off_frames": []}
    for channels in ((mixed,), (reference, mixed)):
        try:
            with tempfile.TemporaryDirectory() as folder:
                record = analyse(write(Path(folder) / "below.wav", *channels))
        except RecordingError:
            continue
        off = offs(record, len(channels), metronome, delay)
        figures["found"] += bool(len(off))
        figures["read"] += len(off)
        figures["wrong"] += int((np.abs(off) > WRONG_FRAMES).sum())
        if len(off):
            figures["off_frames"].append(abs(float(np.median(off))))
    return figures


def offs(record, channel, metronome, delay):
    """Return how far each reading in a channel is from its click; of another voice, infinitely."""
    arrivals = record.arrivals[record.arrivals["channel"] == channel]
    table = record.clicks.merge(arrivals[["arrival", "voice"]], on="arrival")
    truth = np.array([metronome.onset(int(click)) for click in table["click"]]) + delay
    off = table["time_s"].to_numpy() * RATE - truth
    return np.where(table["voice"].to_numpy() == metronome.voice, off, np.inf)


def detection(pool, levels=BELOW_DB, names=PROGRAMMES, seeds=(0,)):
    """Return and print the rates of detection by level and programme."""
    table = pd.DataFrame(pool.map(below, *zip(*product(levels, names, seeds), strict=True)))
    print(rates(table, ["level_db", "programme"]).to_string())
    print(rates(table, ["level_db"]).to_string())
    return table


def rates(table, by):
    """Return the shares of takes found and clicks read, wrong readings, errors of the median."""
    sums = table.groupby(by, sort=False)[["takes", "found", "read", "wrong"]].sum()
    worst = table.groupby(by, sort=False)["off_frames"].agg(
        lambda each: max(each.sum(), default=math.nan)
    )
    return pd.DataFrame(
        {
            "takes found": sums["found"] / sums["takes"],
            "clicks read": (sums["read"] / (sums["takes"] * BELOW_CLICKS)).round(3),
            "wrong readings": sums["wrong"],
            "error of the median, worst, frames": worst.round(2),
        }
    )


def detection_bars(pool):
    table = detection(pool)
    at_20 = rates(table, ["level_db"]).loc[-20]
    return [
        bar("takes found at -20 dB", [at_20["takes found"]], "", "≥", 0.95),
        bar("wrong readings beside music", [int(table["wrong"].sum())], "", "≤", 0),
        figure("clicks read at -20 dB", [at_20["clicks read"]], ""),
        figure("error of the median there, worst", [at_20.iloc[-1]], "frames"),
    ]


def false_alarms(pool, hours):
    """Return the trains of clicks that are found in hours of music, ten minutes a piece."""
    return sum(pool.map(alarms_in_a_piece, range(round(hours * 6))))


def alarms_in_a_piece(seed):
    rng, listener = np.random.default_rng(seed), Listener(Voices())
    for _ in range(round(600 / BLOCK_S)):
        listener.hear(music(BLOCK_S, rng))
    return len(listener.end())


def write_long(path, seconds):
    """Write a recording of a reference and a return in noise."""
    metronome, rng = Metronome(119.0), np.random.default_rng(1)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        for begin in range(0, seconds * RATE, RATE):
            late = 0.5 * metronome.block(begin - 1_000, RATE)[:, 1]
            sound = np.stack([metronome.block(begin, RATE)[:, 0], late], axis=1)
            file.write(sound + rng.normal(0, 1e-3, sound.shape))


def timed(path):
    """Return the CPU time and the peak memory of an analysis, in a process of its own.

    Its `ru_maxrss` would be that of the process which started it, if that has more.
    """
    script = (
        "import json, sys, time\n"
        "from pathlib import Path\n"
        "from jamlab.measure.recording.analysis import analyse\n"
        "began = time.process_time()\n"
        "heard = int(analyse(sys.argv[1]).arrivals['heard'].sum())\n"
        "spent = time.process_time() - began\n"
        "status = Path('/proc/self/status').read_text()\n"
        "peak = int(status.split('VmHWM:')[1].split()[0]) / 1000\n"
        "print(json.dumps([spent, peak, heard]))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout)


def main() -> int:
    """Print the bars, write them as JSON, and return the number of missed ones."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        by_rate, by_codec, wrong = errors(folder)
        wrong_there, shares = wrong_in_a_room(folder)
        skews = skew_errors(folder)
        write_long(folder / "long.wav", SPEED_S)
        spent_s, peak_mb, heard = timed(folder / "long.wav")
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        beside_music = detection_bars(pool)
        alarms = false_alarms(pool, MUSIC_H)
    rows = [
        bar("error of the median, 8 to 192 kHz, worst", [max(by_rate)], "frames", "≤", 0.05),
        bar("error through MP3, Opus and AAC, worst", [max(by_codec)], "frames", "≤", 0.05),
        bar("wrong readings of them", [wrong], "", "≤", 0),
        bar("wrong readings in a room, RT60 0.6 s", [wrong_there], "", "≤", 0),
        figure("clicks heard in a room", shares, ""),
        bar("error of the skew in 30 s, worst", [max(skews)], "ppm", "≤", 2),
        bar(f"false alarms in {MUSIC_H:g} h of music", [alarms], "", "≤", 0),
        bar("an hour of stereo, times real time on one core", [SPEED_S / spent_s], "×", "≥", 100),
        bar("its peak memory", [peak_mb], "MB", "≤", 300),
        figure("its clicks that were heard", [heard], ""),
        *beside_music,
    ]
    return publish(rows, Path("reports/bench-recordings.json"))


if __name__ == "__main__":
    sys.exit(main())
