"""Click readings compared with delays made by phase ramps, time stretching and libopus."""

import math
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from jamlab.audio.metronome import CLICK_BAND_HZ, CLICK_FRAMES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.clicks import (
    FALSE_ALARM,
    ClickReading,
    detection_threshold,
    estimate_skew,
    read_clicks,
)
from jamlab.media.opus import OpusDecoder
from tests.examples import examples

CLICKS = range(12)


def track(metronome, indices=CLICKS, tail_s=0.5, origin=0):
    """The metronome's mono track from ``origin`` to the last index, some clicks left out."""
    last = metronome.onset(max(indices)) - origin
    sound = np.zeros(last + CLICK_FRAMES + round(tail_s * SAMPLE_RATE))
    for index in indices:
        onset = metronome.onset(index) - origin
        sound[onset : onset + CLICK_FRAMES] = metronome.click(index)
    return sound


def delayed(sound, frames):
    """Delay by a phase ramp: exact for band-limited sound, whatever the fraction."""
    length = len(sound) + math.ceil(frames) + 64
    padded = 1 << (length - 1).bit_length()
    spectrum = np.fft.rfft(sound, padded)
    spectrum *= np.exp(-2j * np.pi * np.fft.rfftfreq(padded) * frames)
    return np.fft.irfft(spectrum, padded)[:length]


def band_noise(rng, frames):
    """White noise in the click's band only, of power 1."""
    low_hz, high_hz = CLICK_BAND_HZ
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    frequency_hz = np.fft.rfftfreq(frames, 1 / SAMPLE_RATE)
    spectrum[(frequency_hz < low_hz) | (frequency_hz > high_hz)] = 0
    noise = np.fft.irfft(spectrum, frames)
    return noise / np.std(noise)


def noisy(rng, sound, metronome, snr_db):
    """Add noise; SNR is the click's mean power while it sounds to the noise's, both in the band."""
    click_power = np.mean(metronome.click(0).astype(float) ** 2)
    return sound + band_noise(rng, len(sound)) * np.sqrt(click_power) * 10 ** (-snr_db / 20)


def delays(readings):
    return np.array([reading.delay for reading in readings])


def opus_loop(sound, application, frame_ms, bitrate_bps=128_000):
    """Through libopus and back, packet by packet, nothing trimmed."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "stereo", "flt"
    encoder.bit_rate = bitrate_bps
    encoder.options = {"application": application, "frame_duration": frame_ms, "vbr": "off"}
    encoder.open()
    frames = encoder.frame_size
    stereo = np.repeat(sound.astype(np.float32), 2)
    packets = []
    for start in range(0, len(sound) - frames + 1, frames):
        samples = stereo[2 * start : 2 * (start + frames)].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        packets += encoder.encode(frame)
    decoder = OpusDecoder()
    return np.concatenate([decoder.decode(bytes(packet)) for packet in packets])[:, 0]


class TestThroughOpus:
    """libopus states its look-ahead: 120 frames in restricted_lowdelay, 312 otherwise."""

    @pytest.mark.parametrize(
        ("application", "frame_ms", "lookahead"),
        [
            ("lowdelay", "5", 120),
            ("lowdelay", "20", 120),
            ("voip", "20", 312),
            ("audio", "10", 312),
        ],
    )
    @pytest.mark.parametrize("voice", [0, 3])
    def test_every_click_reads_the_look_ahead(self, application, frame_ms, lookahead, voice):
        metronome = Metronome(voice=voice)
        heard = opus_loop(track(metronome, range(25)), application, frame_ms)
        readings = read_clicks(heard, metronome, range(25), max_delay_s=0.25)
        off = delays(readings) - lookahead
        assert abs(np.median(off)) < 0.05
        assert np.abs(off).max() < 0.08

    def test_shortest_frames_cost_bits_and_a_little_precision(self):
        metronome = Metronome()
        heard = opus_loop(track(metronome, range(25)), "lowdelay", "2.5")
        off = delays(read_clicks(heard, metronome, range(25), max_delay_s=0.25)) - 120
        assert abs(np.median(off)) < 0.02
        assert np.abs(off).max() < 0.1


class TestDelay:
    @pytest.mark.parametrize("delay", [0, 0.1, 0.25, 0.5, 0.75, 119.9, 1234.37, 23_999.6])
    def test_fractions_of_a_frame_without_noise(self, delay):
        metronome = Metronome()
        readings = read_clicks(delayed(track(metronome), delay), metronome, CLICKS)
        assert delays(readings) == pytest.approx(delay, abs=0.002)
        assert min(r.confidence for r in readings) > 0.94

    def test_longer_than_three_beats(self):
        metronome = Metronome(bpm=240)
        delay = 3 * 12_000 + 345.67
        readings = read_clicks(delayed(track(metronome), delay), metronome, CLICKS)
        assert delays(readings) == pytest.approx(delay, abs=0.002)

    @pytest.mark.parametrize(("snr_db", "within"), [(40, 0.01), (20, 0.05), (10, 0.1), (0, 1.0)])
    def test_in_noise(self, snr_db, within):
        metronome = Metronome(voice=1)
        rng = np.random.default_rng(snr_db)
        indices = range(40)
        recording = noisy(rng, delayed(track(metronome, indices), 777.3), metronome, snr_db)
        readings = read_clicks(recording, metronome, indices, max_delay_s=0.5)
        assert np.abs(delays(readings) - 777.3).max() < within

    def test_confidence_at_0_db_is_the_root_of_half(self):
        metronome = Metronome()
        rng = np.random.default_rng(3)
        recording = noisy(rng, delayed(track(metronome), 500), metronome, 0)
        readings = read_clicks(recording, metronome, CLICKS)
        assert np.mean([r.confidence for r in readings]) == pytest.approx(math.sqrt(0.5), abs=0.03)

    def test_noise_out_of_the_band_does_not_matter(self):
        metronome = Metronome()
        sound = delayed(track(metronome), 50.5)
        time_s = np.arange(len(sound)) / SAMPLE_RATE
        rumble = np.sin(2 * np.pi * 50 * time_s) + np.sin(2 * np.pi * 15_000 * time_s)
        readings = read_clicks(sound + rumble, metronome, CLICKS)
        assert delays(readings) == pytest.approx(50.5, abs=0.01)
        assert min(r.confidence for r in readings) > 0.9

    def test_clipping(self):
        metronome = Metronome(level_dbfs=0)
        clipped = np.clip(delayed(track(metronome), 321.6), -0.1, 0.1)
        readings = read_clicks(clipped, metronome, CLICKS)
        assert delays(readings) == pytest.approx(321.6, abs=0.05)

    def test_reversed_polarity(self):
        metronome = Metronome()
        readings = read_clicks(-delayed(track(metronome), 99.25), metronome, CLICKS)
        assert delays(readings) == pytest.approx(99.25, abs=0.002)

    def test_very_quiet(self):
        metronome = Metronome()
        quiet = 1e-3 * delayed(track(metronome), 99.25)
        assert delays(read_clicks(quiet, metronome, CLICKS)) == pytest.approx(99.25, abs=0.002)

    def test_origin_moves_the_recording_on_the_timeline(self):
        metronome = Metronome()
        recording = delayed(track(metronome), 200.5)[10_000:]
        readings = read_clicks(recording, metronome, CLICKS, origin=10_000)
        assert delays(readings) == pytest.approx(200.5, abs=0.002)
        late = np.concatenate([np.zeros(700), recording])
        readings = read_clicks(late, metronome, CLICKS, origin=9_300)
        assert delays(readings) == pytest.approx(200.5, abs=0.002)

    def test_negative_delays_when_asked_for(self):
        metronome = Metronome()
        recording = delayed(track(metronome), 0)[480:]
        readings = read_clicks(recording, metronome, CLICKS, min_delay_s=-0.02, max_delay_s=0.1)
        assert delays(readings) == pytest.approx(-480, abs=0.002)

    def test_single_precision_recordings(self):
        metronome = Metronome()
        recording = delayed(track(metronome), 12.5).astype(np.float32)
        assert delays(read_clicks(recording, metronome, CLICKS)) == pytest.approx(12.5, abs=0.002)

    @given(
        delay=st.floats(0, 30_000),
        voice=st.integers(0, 5),
        bpm=st.floats(150, 1500),
        level_dbfs=st.floats(-50, 0),
        missing=st.sets(st.integers(0, 5), max_size=5),
        start=st.integers(0, 500),
    )
    @examples(50)
    def test_any_delay_voice_tempo_level_and_gaps(
        self, delay, voice, bpm, level_dbfs, missing, start
    ):
        metronome = Metronome(bpm=bpm, voice=voice, level_dbfs=level_dbfs)
        emitted = range(start, start + 6)
        present = [k for k in emitted if k - start not in missing]
        origin = metronome.onset(start) - 100
        recording = delayed(track(metronome, present, origin=origin), delay)
        readings = read_clicks(recording, metronome, emitted, max_delay_s=0.7, origin=origin)
        assert [r.index for r in readings if r.heard] == present
        heard = np.array([r.delay for r in readings if r.heard])
        assert heard == pytest.approx(delay, abs=0.01)


class TestFirstArrival:
    @pytest.mark.slow
    @pytest.mark.parametrize("gain", [0.3, 1.0, 1.2, 1.5, -1.2])
    @pytest.mark.parametrize("spacing", [30, 480, 5_000, 20_000])
    def test_an_echo_is_not_the_click(self, gain, spacing):
        metronome = Metronome()
        indices = range(40)
        recording = delayed(track(metronome, indices), 777.3)
        recording[spacing:] += gain * recording[:-spacing].copy()
        off = delays(read_clicks(recording, metronome, indices)) - 777.3
        assert np.abs(off).max() < 0.3 * max(1, abs(gain))
        assert abs(np.median(off)) < 0.05

    def test_an_echo_in_noise(self):
        metronome = Metronome()
        indices = range(40)
        sound = delayed(track(metronome, indices), 777.3)
        sound[960:] += 1.2 * sound[:-960].copy()
        recording = noisy(np.random.default_rng(8), sound, metronome, 6)
        off = delays(read_clicks(recording, metronome, indices)) - 777.3
        assert np.abs(off).max() < 1

    def test_a_quiet_leak_before_the_click_is_not_its_arrival(self):
        metronome = Metronome()
        leak, direct = (delayed(track(metronome), d) for d in (0, 4_000))
        recording = direct
        recording[: len(leak)] += 0.35 * leak
        assert delays(read_clicks(recording, metronome, CLICKS)) == pytest.approx(4_000, abs=0.05)


class TestSearchWindow:
    def test_finds_what_is_within_both_ends(self):
        metronome = Metronome()
        recording = delayed(track(metronome), 4_800)
        for window in ((0.1, 0.2), (0.0, 0.1), (0.0999, 0.1001)):
            readings = read_clicks(
                recording, metronome, CLICKS, min_delay_s=window[0], max_delay_s=window[1]
            )
            assert delays(readings) == pytest.approx(4_800, abs=0.002)

    @given(outside=st.integers(2, 3_000), before=st.booleans())
    @examples(40)
    def test_hears_nothing_of_a_click_just_outside(self, outside, before):
        metronome = Metronome()
        recording = delayed(track(metronome, [0]), 4_800)
        edge_s = (4_800 + (outside if before else -outside)) / SAMPLE_RATE
        low_s, high_s = (edge_s, edge_s + 0.2) if before else (edge_s - 0.2, edge_s)
        (reading,) = read_clicks(recording, metronome, [0], min_delay_s=low_s, max_delay_s=high_s)
        assert not reading.heard

    def test_threshold_keeps_the_false_alarm_probability(self):
        rng = np.random.default_rng(11)
        directions = rng.standard_normal((20_000, 458))
        chance = np.abs(directions[:, 0]) / np.linalg.norm(directions, axis=1)
        lags = 1000  # with so many trials per lag, FALSE_ALARM/lags is one in a thousand
        assert np.mean(chance > detection_threshold(1)) < 10 * FALSE_ALARM
        assert detection_threshold(lags) > detection_threshold(1) > np.quantile(chance, 0.999)
        assert 0.30 < detection_threshold(SAMPLE_RATE) < 0.32


def chords(rng, frames):
    """Decaying harmonic tones, thirty notes."""
    sound = np.zeros(frames)
    time_s = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    for start in rng.integers(0, frames - len(time_s), 30):
        pitch_hz = 110 * 2 ** (rng.integers(0, 40) / 12)
        partials = np.arange(1, 1 + int(20_000 / pitch_hz))[:20, np.newaxis]
        phases = rng.uniform(0, 2 * np.pi, partials.shape)
        note = np.sin(2 * np.pi * pitch_hz * partials * time_s + phases) / partials
        sound[start : start + len(time_s)] += note.sum(axis=0) * np.exp(-9 * time_s)
    return 0.1 * sound


def drums(rng, frames):
    sound = np.zeros(frames)
    for start in rng.integers(0, frames - 12_000, 40):
        decay = np.exp(-np.arange(12_000) / rng.uniform(50, 4_000))
        sound[start : start + 12_000] += 0.2 * rng.standard_normal(12_000) * decay
    return sound


def narrow_noise(rng, frames):
    band = signal.butter(2, rng.uniform([1_500, 3_000], [2_500, 7_000]), "bandpass", fs=SAMPLE_RATE)
    return signal.lfilter(*band, rng.standard_normal(frames))


def sine(rng, frames):
    return 0.5 * np.sin(2 * np.pi * rng.uniform(1_200, 8_400) / SAMPLE_RATE * np.arange(frames))


def spikes(rng, frames):
    sound = np.zeros(frames)
    sound[rng.integers(0, frames, 30)] = 1
    return sound


def other_voices(rng, frames):
    others = [Metronome(bpm=rng.uniform(100, 1_000), voice=v) for v in range(1, 6)]
    return sum(other.block(0, frames)[:, 0].astype(float) for other in others)


def own_later_clicks(_rng, frames):
    """The same voice, but clicks 100 on: other identities."""
    metronome = Metronome()
    return metronome.block(metronome.onset(100) - 12_000, frames)[:, 0].astype(float)


class TestNothingThere:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "sounds",
        [
            np.random.Generator.standard_normal,
            band_noise,
            narrow_noise,
            chords,
            drums,
            sine,
            spikes,
            other_voices,
            own_later_clicks,
        ],
    )
    def test_no_reading_rather_than_a_wrong_one(self, sounds):
        for seed in range(8):
            recording = sounds(np.random.default_rng(seed), 4 * SAMPLE_RATE)
            readings = read_clicks(recording, Metronome(), CLICKS)
            assert not any(r.heard for r in readings)
            assert all(0 <= r.confidence < 0.3 for r in readings)

    @pytest.mark.parametrize("level", [0, 1e-9, 0.5])
    def test_silence_and_a_constant(self, level):
        readings = read_clicks(np.full(4 * SAMPLE_RATE, float(level)), Metronome(), CLICKS)
        assert not any(r.heard for r in readings)

    def test_rounding_errors_beside_a_loud_sound_are_not_clicks(self):
        recording = np.zeros(4 * SAMPLE_RATE)
        recording[:20_000] = np.random.default_rng(0).uniform(-1, 1, 20_000)
        assert not any(r.heard for r in read_clicks(recording, Metronome(), CLICKS))

    def test_a_recording_that_ended_before_the_click(self):
        metronome = Metronome()
        readings = read_clicks(track(metronome, [0, 1], tail_s=0), metronome, range(8))
        assert [r.heard for r in readings] == [True] * 2 + [False] * 6

    def test_missing_clicks_are_not_replaced_by_their_neighbours(self):
        metronome = Metronome(bpm=240)
        rng = np.random.default_rng(4)
        emitted = range(60)
        played = sorted(rng.choice(60, 48, replace=False).tolist())
        recording = noisy(rng, delayed(track(metronome, played), 40_000.4), metronome, 20)
        readings = read_clicks(recording, metronome, emitted)
        assert [r.index for r in readings if r.heard] == played
        assert np.nanmax(np.abs(delays(readings) - 40_000.4)) < 0.05

    def test_no_indices_no_readings(self):
        assert read_clicks(np.zeros(10), Metronome(), []) == []


class TestSixVoices:
    TRUTH = tuple(100.25 + 1_000.5 * voice for voice in range(6))

    @pytest.mark.parametrize("tempi", [[240] * 6, [200, 210, 220, 230, 240, 250]])
    def test_each_is_read_from_the_mix(self, tempi):
        voices = [Metronome(bpm=bpm, voice=v) for v, bpm in enumerate(tempi)]
        sounds = [delayed(track(m, range(20)), d) for m, d in zip(voices, self.TRUTH, strict=True)]
        mix = np.zeros(max(map(len, sounds)))
        for sound in sounds:
            mix[: len(sound)] += sound
        for metronome, truth in zip(voices, self.TRUTH, strict=True):
            off = delays(read_clicks(mix, metronome, range(20))) - truth
            assert np.abs(off).max() < 0.5
            assert abs(np.median(off)) < 0.1

    def test_even_on_top_of_each_other(self):
        voices = [Metronome(voice=v) for v in range(6)]
        mix = sum(delayed(track(m, range(20)), 100.25) for m in voices)
        for metronome in voices:
            off = delays(read_clicks(mix, metronome, range(20))) - 100.25
            assert np.isnan(off).sum() <= 1
            assert np.nanmax(np.abs(off)) < 0.5


class TestSkew:
    @staticmethod
    def recorded(metronome, indices, skew_ppm, delay):
        """A recorder whose clock is off: each click shifted and stretched by its Taylor series."""
        rate = 1 + skew_ppm * 1e-6
        recording = np.zeros(metronome.onset(indices[-1]) + SAMPLE_RATE)
        for index in indices:
            arrival = metronome.onset(index) * rate + delay
            whole = math.floor(arrival)
            click = np.zeros(CLICK_FRAMES + 128)
            click[64:-64] = metronome.click(index)
            shifted = delayed(click, arrival - whole)[: len(click)]
            stretch = (np.arange(len(click)) - 64) * (rate - 1)
            slope = delayed(np.gradient(delayed(click, 0)), arrival - whole)[: len(click)]
            recording[whole - 64 : whole - 64 + len(click)] += shifted - stretch * slope
        return recording

    @pytest.mark.slow
    @pytest.mark.parametrize("skew_ppm", [-200, -20, 0, 50, 200])
    def test_within_2_ppm_over_30_s(self, skew_ppm):
        metronome = Metronome(bpm=120)
        indices = range(60)
        rng = np.random.default_rng(1)
        clean = self.recorded(metronome, indices, skew_ppm, 960.3)
        readings = read_clicks(noisy(rng, clean, metronome, 20), metronome, indices)
        assert estimate_skew(readings) == pytest.approx(skew_ppm, abs=2)
        middles = np.array([r.onset for r in readings]) + CLICK_FRAMES / 2
        truth = 960.3 + middles * skew_ppm * 1e-6
        assert delays(readings) == pytest.approx(truth, abs=0.05)

    def test_wild_and_missing_readings_do_not_carry_it_away(self):
        rng = np.random.default_rng(2)
        onsets = np.arange(120) * 12_000
        delay = 500 + 75e-6 * onsets + rng.normal(0, 0.05, 120)
        delay[rng.choice(120, 20, replace=False)] += 2_000
        delay[rng.choice(120, 20, replace=False)] = math.nan
        readings = [
            ClickReading(k, int(o), float(d), 0.9)
            for k, (o, d) in enumerate(zip(onsets, delay, strict=True))
        ]
        assert estimate_skew(readings) == pytest.approx(75, abs=1)

    def test_an_hour_of_readings(self):
        readings = [ClickReading(k, 12_000 * k, 9 - 0.12 * k, 1.0) for k in range(14_400)]
        assert estimate_skew(readings) == pytest.approx(-10)

    @pytest.mark.parametrize("heard", [0, 1, 2])
    def test_is_unknown_from_fewer_than_three(self, heard):
        readings = [ClickReading(k, 100 * k, 5.0 if k < heard else math.nan, 1) for k in range(9)]
        assert math.isnan(estimate_skew(readings))


class TestBadInput:
    @pytest.mark.parametrize(
        ("recording", "sentence"),
        [
            (np.zeros((10, 2)), r"recording has shape \(10, 2\): pass one channel"),
            (np.zeros(0), "recording is empty"),
            (np.zeros(10, dtype=np.int16), "recording is int16: convert to float"),
            (np.array([0, np.nan, 0, np.inf]), "2 NaN or infinite values, the first at frame 1"),
        ],
    )
    def test_recordings(self, recording, sentence):
        with pytest.raises(ValueError, match=sentence):
            read_clicks(recording, Metronome(), CLICKS)

    @pytest.mark.parametrize(
        ("low_s", "high_s", "sentence"),
        [
            (0.5, 0.5, "search window is 0.5 to 0.5 s"),
            (0.0, math.inf, "max_delay_s must be finite"),
            (math.nan, 1.0, "search window is nan to 1.0 s"),
            (0.0, 57.25, "the click code repeats after 57.25 s at 240 bpm"),
        ],
    )
    def test_windows(self, low_s, high_s, sentence):
        with pytest.raises(ValueError, match=sentence):
            read_clicks(np.zeros(10), Metronome(), CLICKS, min_delay_s=low_s, max_delay_s=high_s)

    def test_indices(self):
        with pytest.raises(ValueError, match="click index is -1"):
            read_clicks(np.zeros(10), Metronome(), [-1])
