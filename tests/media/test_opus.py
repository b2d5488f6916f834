"""The codec against RFC 6716 and against libopus' own figures."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from jamlab.audio.pcm import SAMPLE_RATE, silence
from jamlab.media.opus import CorruptPacketError, OpusDecoder, OpusEncoder, library_version
from jamlab.media.quality import FRAME_LENGTHS, HIGH_QUALITY, LOW_LATENCY, Quality
from tests.examples import examples

MS = SAMPLE_RATE // 1000
BOTH = pytest.mark.parametrize("quality", [LOW_LATENCY, HIGH_QUALITY], ids=lambda q: q.name)


def sine(frames, frequency=440.0, amplitude=0.5):
    wave = amplitude * np.sin(2 * np.pi * frequency * np.arange(frames) / SAMPLE_RATE)
    return wave.astype(np.float32).repeat(2).reshape(-1, 2)


def burst(frames, start, seed=1):
    """Band-limited noise under a window, at a known place in silence."""
    noise = np.random.default_rng(seed).standard_normal(2400)
    band = signal.sosfiltfilt(
        signal.butter(4, [500, 6000], "band", fs=SAMPLE_RATE, output="sos"), noise
    )
    sound = np.zeros(frames)
    sound[start : start + 2400] = 0.5 * band / np.abs(band).max() * np.hanning(2400)
    return sound.astype(np.float32).repeat(2).reshape(-1, 2)


def delay_between(sent, heard):
    """The lag of the correlation's peak, interpolated in the frequency domain to 1/64 sample."""
    fold = 64
    spectrum = np.conj(np.fft.rfft(sent)) * np.fft.rfft(heard)
    peak = int(np.argmax(np.fft.irfft(spectrum, fold * len(sent))))
    return peak / fold


def frames_of(pcm, length):
    return [pcm[k : k + length] for k in range(0, len(pcm) - length + 1, length)]


def through(quality, pcm):
    encoder, decoder = OpusEncoder(quality), OpusDecoder()
    return np.concatenate(
        [decoder.decode(encoder.encode(f)) for f in frames_of(pcm, quality.frame_frames)]
    )


def power(block):
    return float(np.mean(block.astype(float) ** 2))


def variants():
    for quality in (LOW_LATENCY, HIGH_QUALITY):
        for frames in FRAME_LENGTHS:
            if quality.bitrate_bps * frames / 8 / SAMPLE_RATE <= 1275:  # RFC 6716 §3.2.1
                yield Quality(quality.name, quality.bitrate_bps, frames, quality.application)


VARIANTS = pytest.mark.parametrize(
    "quality", list(variants()), ids=lambda q: f"{q.application}-{q.frame_frames}"
)


def test_library_says_its_version():
    assert library_version().startswith("libopus 1.")


class TestDelay:
    @BOTH
    def test_libopus_reports_the_stated_lookahead(self, quality):
        assert OpusEncoder(quality).lookahead_frames == quality.lookahead_frames

    @VARIANTS
    def test_is_the_lookahead_and_nothing_else(self, quality):
        sent = burst(4 * 5760, start=9000)
        heard = through(quality, sent)
        delay = delay_between(sent[:, 0].astype(float), heard[:, 0].astype(float))
        assert delay == pytest.approx(quality.lookahead_frames, abs=0.1)

    @BOTH
    def test_to_a_twentieth_of_a_sample(self, quality):
        sent = burst(4 * 5760, start=9000)
        heard = through(quality, sent)
        delay = delay_between(sent[:, 0].astype(float), heard[:, 0].astype(float))
        assert delay == pytest.approx(quality.lookahead_frames, abs=0.05)


class TestEncoder:
    @VARIANTS
    def test_bitrate_is_constant(self, quality):
        """Whatever is encoded: silence, a tone, noise."""
        frames = quality.frame_frames
        noise = np.random.default_rng(2).uniform(-1, 1, (8 * frames, 2)).astype(np.float32)
        sounds = np.concatenate((silence(8 * frames), sine(8 * frames), noise))
        encoder = OpusEncoder(quality)
        sizes = {len(encoder.encode(frame)) for frame in frames_of(sounds, frames)}
        assert sizes == {quality.bitrate_bps * frames // 8 // SAMPLE_RATE}

    @BOTH
    def test_is_stereo(self, quality):
        left = sine(9600)
        left[:, 1] = 0
        heard = through(quality, left)[1200:]
        assert power(heard[:, 1]) < 1e-3 * power(heard[:, 0])

    @pytest.mark.parametrize(
        "block",
        [silence(0), silence(100), silence(121), silence(5760), np.zeros((120, 1)), np.zeros(120)],
        ids=lambda block: str(block.shape),
    )
    def test_takes_one_frame_only(self, block):
        with pytest.raises(ValueError, match=r"Opus encodes \(120, 240, .*\) frames of 2 channels"):
            OpusEncoder(LOW_LATENCY).encode(block)

    @pytest.mark.parametrize(
        "layout",
        [np.asfortranarray, np.float64, lambda block: np.repeat(block, 2, axis=0)[::2]],
        ids=["fortran", "float64", "strided"],
    )
    def test_any_layout_is_the_same_sound(self, layout):
        plain, other = OpusEncoder(LOW_LATENCY), OpusEncoder(LOW_LATENCY)
        for frame in frames_of(sine(1200), 120):
            assert other.encode(layout(frame)) == plain.encode(frame)

    def test_does_not_change_its_input(self):
        block = sine(480, amplitude=2.0)
        before = block.tobytes()
        OpusEncoder(HIGH_QUALITY).encode(block)
        assert block.tobytes() == before

    @BOTH
    def test_frame_length_may_change_without_a_gap(self, quality):
        lengths = [120, 480, 240, 960, 120, 120, 1920, 240] * 6
        sent = sine(sum(lengths))
        encoder, decoder = OpusEncoder(quality), OpusDecoder()
        heard, position = [], 0
        for frames in lengths:
            block = decoder.decode(encoder.encode(sent[position : position + frames]))
            assert len(block) == frames
            heard.append(block)
            position += frames
        late = quality.lookahead_frames
        error = np.concatenate(heard)[4800:] - sent[4800 - late : len(sent) - late]
        assert np.abs(error).max() < 0.1 * 0.5  # a gap would be an error of the tone's 0.5


class TestDecoder:
    @pytest.mark.parametrize("config", range(32))
    def test_length_is_what_the_first_byte_says(self, config):
        """RFC 6716 table 2: SILK, then hybrid, then CELT configurations."""
        silk, hybrid, celt = [10, 20, 40, 60], [10, 20], [2.5, 5, 10, 20]
        milliseconds = (silk * 3 + hybrid * 2 + celt * 4)[config]
        block = OpusDecoder().decode(bytes([config << 3, *range(40)]))
        assert block.shape == (48 * milliseconds, 2)
        assert block.dtype == np.float32

    def test_several_frames_in_a_packet(self):
        """Code 3 (RFC 6716 §3.2.5): three frames of 2.5 ms at a constant bitrate."""
        toc = OpusEncoder(LOW_LATENCY).encode(sine(120))[0]
        assert len(OpusDecoder().decode(bytes([toc | 3, 3, *range(60)]))) == 360

    def test_blocks_are_not_shared(self):
        encoder, decoder = OpusEncoder(LOW_LATENCY), OpusDecoder()
        first = decoder.decode(encoder.encode(sine(120)))
        before = first.tobytes()
        decoder.decode(encoder.encode(sine(120, 3000)))
        assert first.tobytes() == before

    @pytest.mark.parametrize("payload", [b"", b"\xff", b"\xff\x00", b"\x01\x02\x03\x04" * 400])
    def test_names_what_is_not_opus(self, payload):
        with pytest.raises(CorruptPacketError, match=f"{len(payload)}"):
            OpusDecoder().decode(payload)

    @examples(300)
    @given(st.lists(st.binary(max_size=1500), min_size=1, max_size=5))
    def test_survives_anything(self, payloads):
        """Junk decodes or is refused; a second of music later it is forgotten."""
        decoder = OpusDecoder()
        for payload in payloads:
            try:
                block = decoder.decode(payload)
            except CorruptPacketError:
                continue
            assert np.isfinite(block).all()
            assert 0 < len(block) <= 5760
        heard = np.concatenate([decoder.decode(packet) for packet in TONE])
        error = heard[-480:] - TONE_CLEAN[-480:]
        assert power(error) < 0.01 * power(TONE_CLEAN[-480:])

    def test_refusal_changes_nothing(self):
        clean, troubled = OpusDecoder(), OpusDecoder()
        for packet in TONE:
            with pytest.raises(CorruptPacketError):
                troubled.decode(b"")
            np.testing.assert_array_equal(troubled.decode(packet), clean.decode(packet))


_ENCODER = OpusEncoder(LOW_LATENCY)
TONE = [_ENCODER.encode(frame) for frame in frames_of(sine(12_000), 120)]
TONE_CLEAN = through(LOW_LATENCY, sine(12_000))


class TestConcealment:
    @BOTH
    def test_continues_then_decays(self, quality):
        frames = quality.frame_frames
        encoder, decoder = OpusEncoder(quality), OpusDecoder()
        for frame in frames_of(sine(100 * frames), frames):
            last = decoder.decode(encoder.encode(frame))
        invented = np.concatenate([decoder.conceal(frames) for _ in range(SAMPLE_RATE // frames)])
        assert 0.3 < power(invented[: 10 * MS]) / 0.125 < 1.5  # the tone's power is 0.5²/2
        assert power(invented[200 * MS : 300 * MS]) < 0.01 * power(invented[: 10 * MS])
        assert power(invented[900 * MS :]) < 0.01 * power(invented[: 10 * MS])
        slope = 2 * np.pi * 440 / SAMPLE_RATE * 0.5
        assert np.abs(invented[0] - last[-1]).max() < 2 * slope  # no click

    @pytest.mark.parametrize("frames", [*FRAME_LENGTHS, 360, 3840, 5760])
    def test_any_multiple_of_the_shortest_frame(self, frames):
        assert OpusDecoder().conceal(frames).shape == (frames, 2)

    @pytest.mark.parametrize("frames", [-120, 0, 1, 119, 121, 5880])
    def test_no_other_length(self, frames):
        with pytest.raises(ValueError, match=f"multiple of 120 frames up to 5760, not {frames}"):
            OpusDecoder().conceal(frames)

    def test_sound_goes_on_after_it(self):
        decoder = OpusDecoder()
        heard = []
        for k, packet in enumerate(TONE):
            heard.append(decoder.conceal(120) if k == 50 else decoder.decode(packet))
        error = np.concatenate(heard)[60 * 120 :] - TONE_CLEAN[60 * 120 :]
        assert power(error) < 0.01 * power(TONE_CLEAN[60 * 120 :])


def test_exit_is_silent():
    """The states are freed without a word when the interpreter ends."""
    program = (
        "import numpy as np\n"
        "from jamlab.media.opus import OpusDecoder, OpusEncoder\n"
        "from jamlab.media.quality import LOW_LATENCY\n"
        "encoder, decoder = OpusEncoder(LOW_LATENCY), OpusDecoder()\n"
        "print(len(decoder.decode(encoder.encode(np.zeros((120, 2), np.float32)))))\n"
    )
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "120\n", "")
