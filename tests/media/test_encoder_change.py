"""A change of quality in a running sound: no loss, no repetition, nothing audible."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.encoder import FrameEncoder
from jamlab.media.opus import OpusDecoder, OpusEncoder
from jamlab.media.quality import FRAME_LENGTHS, HIGH_QUALITY, LOW_LATENCY, Quality
from tests.examples import examples

BROAD = Quality("broad", 320_000, 480, "audio")  # as high quality, but for the bitrate
QUALITIES = LOW_LATENCY, HIGH_QUALITY, BROAD
PAIRS = pytest.mark.parametrize(
    ("old", "new"), list(permutations(QUALITIES, 2)), ids=lambda quality: quality.name
)
SECOND = np.arange(SAMPLE_RATE)
SWITCHED = SAMPLE_RATE // 4


def sine(hz, frames=SECOND):
    wave = 0.25 * np.sin(2 * np.pi * hz * frames / SAMPLE_RATE)
    return np.repeat(wave.astype(np.float32)[:, None], 2, axis=1)


def decoded(sound, *qualities, block=64, peers=1):
    """What a peer hears of a sound whose quality changes at `SWITCHED`, and where frames begin."""
    encoder, decoder = FrameEncoder(qualities[0]), OpusDecoder()
    encoder.serve(peers)
    heard, positions = [], []
    for at in range(0, len(sound), block):
        if at >= SWITCHED:
            encoder.quality = qualities[-1]
        for frame in encoder.push(sound[at : at + block]):
            heard.append(decoder.decode(frame.payload))
            positions.append(frame.position)
    assert positions == [0, *np.cumsum([len(block) for block in heard[:-1]])]
    return np.concatenate(heard)


def beside_the_line(heard, hz):
    """The strongest spectral line further than 400 Hz from a sine, in dB under the sine."""
    spectrum = np.abs(np.fft.rfft(heard[:, 0] * np.blackman(len(heard))))
    away = np.abs(np.fft.rfftfreq(len(heard), 1 / SAMPLE_RATE) - hz) > 400
    return 20 * np.log10(spectrum[away].max() / spectrum.max())


def delay_of(heard, sound):
    """Frames by which a sound is heard later, by correlation."""
    spectrum = np.fft.rfft(heard[:, 0], 2 * len(sound)) * np.conj(
        np.fft.rfft(sound[:, 0], 2 * len(sound))
    )
    return int(np.argmax(np.fft.irfft(spectrum)))


def test_a_new_encoder_alone_would_click():
    """What the handover is for: the same sine through an encoder without a past."""
    sound, decoder, heard = sine(440), OpusDecoder(), []
    for quality, part in (LOW_LATENCY, sound[:24_000]), (HIGH_QUALITY, sound[24_000:]):
        heard += [decoder.decode(f.payload) for f in FrameEncoder(quality).push(part)]
    assert beside_the_line(np.concatenate(heard)[4800:40_000], 440) > -50


@pytest.mark.slow
@PAIRS
@pytest.mark.parametrize("hz", [125, 440, 997, 5003])
def test_a_sine_goes_on_without_a_click(old, new, hz):
    """Beside the line there is hardly more than a quality alone puts there."""
    switched = decoded(sine(hz), old, new)[4800:40_000]
    alone = max(beside_the_line(decoded(sine(hz), q)[4800:40_000], hz) for q in (old, new))
    assert alone < -55
    assert beside_the_line(switched, hz) < -55


@PAIRS
def test_it_is_heard_as_late_as_either_quality_would_be(old, new):
    """Nothing is lost or repeated but what the look-aheads differ by."""
    noise = np.random.default_rng(1).normal(0, 0.1, (len(SECOND), 2)).astype(np.float32)
    heard = decoded(noise, old, new)
    before, after = slice(2400, SWITCHED), slice(SWITCHED + 14_400, SWITCHED + 24_000)
    assert delay_of(heard[before], noise[before]) == old.lookahead_frames
    assert delay_of(heard[after], noise[after]) == new.lookahead_frames


@PAIRS
def test_a_sine_whose_period_divides_the_shift_keeps_its_level(old, new):
    """250 Hz: the 192 frames between the look-aheads are one period, so the fade is of equals."""
    heard = decoded(sine(250), old, new)[4800:40_000, 0].astype(float)
    levels = [np.sqrt(2 * np.mean(heard[at : at + 192] ** 2)) for at in range(0, 35_000, 192)]
    assert min(levels) > 0.25 * 10 ** (-1 / 20)
    assert max(levels) < 0.25 * 10 ** (1 / 20)


@PAIRS
def test_the_new_bitrate_and_frame_length_come_and_stay(old, new):
    encoder = FrameEncoder(old)
    encoder.serve(2)
    frames = [frame for at in range(0, SAMPLE_RATE, 64) for frame in self_push(encoder, at, new)]
    last = frames[-1]
    assert len(last.payload) * 8 * SAMPLE_RATE / new.frame_for(2) == new.bitrate_bps
    assert encoder.frame_frames == new.frame_for(2)
    assert encoder.quality is new


def self_push(encoder, at, new):
    if at >= SWITCHED:
        encoder.quality = new
    return encoder.push(sine(440, SECOND[at : at + 64]))


def test_the_quality_wanted_is_told_at_once():
    encoder = FrameEncoder(LOW_LATENCY)
    encoder.quality = HIGH_QUALITY
    assert encoder.quality is HIGH_QUALITY
    assert encoder.frame_frames == LOW_LATENCY.frame_frames


def test_the_same_quality_changes_nothing():
    sound = sine(440)
    np.testing.assert_array_equal(
        decoded(sound, LOW_LATENCY, LOW_LATENCY), decoded(sound, LOW_LATENCY)
    )


def test_without_a_change_frames_are_the_codecs_own():
    """A handover that is over leaves no trace: the same payloads as without, of silence."""
    silent = np.zeros((SAMPLE_RATE, 2), np.float32)
    encoder, codec = FrameEncoder(LOW_LATENCY), OpusEncoder(HIGH_QUALITY)
    encoder.quality = HIGH_QUALITY
    last = [*encoder.push(silent)][-1]
    payloads = [codec.encode(silent[at : at + 480]) for at in range(0, SAMPLE_RATE, 480)]
    assert last.payload == payloads[-1]


@examples(25)
@given(
    st.lists(
        st.integers(1, 4000) | st.sampled_from(QUALITIES) | st.tuples(st.integers(1, 9)),
        max_size=30,
    ),
    st.sampled_from(FRAME_LENGTHS),
)
def test_whatever_is_turned_and_when_positions_go_on(steps, length):
    """Steps are blocks by their length, qualities, and numbers of peers as tuples."""
    encoder = FrameEncoder(Quality("first", 96_000, length, "audio"))
    position, pushed = 0, 0
    for step in steps:
        match step:
            case Quality():
                encoder.quality = step
            case (peers,):
                encoder.serve(peers)
            case frames:
                pushed += frames
                for frame in encoder.push(sine(440, np.arange(pushed - frames, pushed))):
                    assert frame.position == position
                    position += len(OpusDecoder().decode(frame.payload))
    assert encoder.captured_frames == pushed
    assert 0 <= pushed - position < max(FRAME_LENGTHS)
