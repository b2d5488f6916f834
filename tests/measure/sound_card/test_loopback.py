"""A card's loopback, compared with recordings of known delay and JACK's own reading."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.conversion.rate_converter import RateConverter
from jamlab.audio.portaudio import Device, DeviceError
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.sound_card import loopback as module
from jamlab.measure.sound_card.loopback import (
    LoopbackPlan,
    check_loop,
    loopback_table,
    read_loopbacks,
)
from tests.audio.jack import iodelay, jack, needs_jack
from tests.audio.test_device import running
from tests.examples import examples

PLAN = LoopbackPlan((64,), clicks=12)


def delayed(frames, gain=1.0, noise=0.0):
    """Return what comes back of the plan's clicks so many frames later."""
    sound = PLAN.metronome.block(0, PLAN.frames)[:, 0]
    recording = np.zeros_like(sound)
    recording[frames:] = gain * sound[: len(sound) - frames]
    return recording + noise * np.random.default_rng(1).standard_normal(len(sound))


@examples(15)
@given(st.integers(0, 20_000), st.sampled_from([1.0, 0.05, -0.5]))
def test_finds_the_delay_whatever_the_gain(frames, gain):
    table = loopback_table(read_loopbacks(PLAN, [(64, delayed(frames, gain))]))
    [row] = table.to_dict("records")
    assert row["round_trip_frames"] == pytest.approx(frames, abs=0.02)
    assert row["round_trip_ms"] == pytest.approx(frames / 48, abs=0.001)
    assert row["heard_share"] == 1
    assert row["confidence"] > 0.99


def test_a_row_per_block_size():
    recordings = [(64, delayed(192)), (256, delayed(640))]
    table = loopback_table(read_loopbacks(PLAN, recordings))
    assert table["block_frames"].tolist() == [64, 256]
    assert table["round_trip_frames"].tolist() == pytest.approx([192, 640], abs=0.02)
    assert table["spread_frames"].max() < 0.05


def test_a_noisy_loop_says_so_in_its_confidence():
    table = loopback_table(read_loopbacks(PLAN, [(64, delayed(300, 0.1, noise=0.01))]))
    [row] = table.to_dict("records")
    assert row["round_trip_frames"] == pytest.approx(300, abs=1)
    assert row["confidence"] < 0.95


def test_without_a_loop_there_is_no_figure_but_advice():
    noise = 0.01 * np.random.default_rng(2).standard_normal(PLAN.frames)
    table = loopback_table(read_loopbacks(PLAN, [(64, noise)]))
    assert table["round_trip_frames"].isna().all()
    with pytest.raises(DeviceError, match=r"only 0% .* at 64 frames a block: connect output"):
        check_loop(table)


def test_a_loop_that_is_there_needs_no_advice():
    check_loop(loopback_table(read_loopbacks(PLAN, [(64, delayed(192))])))


def test_readings_that_disagree_are_no_figure_but_advice():
    """The way itself and, as strong as can be taken for an echo, another 10 ms later."""
    noise = 0.002 * np.random.default_rng(3).standard_normal(PLAN.frames)
    recording = delayed(300) + 2 * delayed(780) + noise
    table = loopback_table(read_loopbacks(PLAN, [(64, recording)]))
    assert table["heard_share"].item() == 1  # which was all that was asked
    assert table["spread_frames"].item() == pytest.approx(480, abs=1)
    with pytest.raises(DeviceError, match=r"at times 480 frames apart at 64 frames a block"):
        check_loop(table)


@pytest.mark.parametrize("block_frames", [16, 256, 2048, 4096])
def test_an_echo_is_no_figure_at_any_block_size(block_frames):
    noise = 0.002 * np.random.default_rng(3).standard_normal(PLAN.frames)
    recording = delayed(300) + 2 * delayed(780) + noise
    table = loopback_table(read_loopbacks(PLAN, [(block_frames, recording)]))
    with pytest.raises(DeviceError, match=f"480 frames apart at {block_frames} frames a block"):
        check_loop(table)


def test_readings_that_differ_by_noise_are_a_figure():
    table = loopback_table(read_loopbacks(PLAN, [(64, delayed(300, 0.1, noise=0.02))]))
    assert 0 < table["spread_frames"].item() < 3
    check_loop(table)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"block_frames": ()}, "block_frames"),
        ({"block_frames": (8,)}, "block_frames"),
        ({"block_frames": (64, 5000)}, "block_frames"),
        ({"clicks": 2}, "clicks"),
        ({"clicks": 1001}, "clicks"),
    ],
)
def test_refuses_what_cannot_be_measured(values, field):
    with pytest.raises(PlanError, match=f"^{field} is"):
        LoopbackPlan(**values)


def read_both(period, block_frames, wire):
    """Read a loop of PortAudio's output to its input past our clicks, and JACK's own, a wire."""
    with jack(period) as server:
        with running(server, "loopback", block_frames, 24) as process:
            n = 0 if period == block_frames else 2  # then the card is opened twice
            server.connect(
                server.port("PortAudio", f"out_{n}"), server.port("PortAudio", f"in_{n}")
            )
            [ours] = process.end()
        with running(server, "wire", wire):
            ports = server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0")
            with iodelay(server, *ports) as reading:
                return ours, reading()


@pytest.mark.slow
@needs_jack
@pytest.mark.parametrize("period", [64, 256])
def test_reads_what_jack_iodelay_reads(period):
    """And nothing is added to JACK's way from a client to itself, which is a period."""
    ours, theirs = read_both(period, period, wire=0)
    assert ours["heard_share"] >= 0.5  # the first are played before the ports are connected
    assert ours["round_trip_frames"] == pytest.approx(theirs, abs=1)
    assert theirs == pytest.approx(period, abs=0.1)


@needs_jack
@pytest.mark.slow
def test_a_card_at_another_rate_is_measured_with_its_conversion_in_whichever_channel_it_is():
    """A cable into the second input: JACK's way from a client to itself is a period."""
    with jack(128, rate=44_100) as server, running(server, "loopback", 128, 24) as process:
        server.connect(server.port("PortAudio", "out_0"), server.port("PortAudio", "in_1"))
        [ours] = process.end()
    conversion = RateConverter(44_100, 128, 2, 2, lambda block: block)
    assert ours["channel"] == 2
    assert ours["heard_share"] >= 0.5  # the first are played before the ports are connected
    expected_s = 128 / 44_100 + conversion.delay_s
    assert ours["round_trip_frames"] == pytest.approx(48_000 * expected_s, abs=1)


def test_the_channel_in_which_the_clicks_are_is_read_and_said():
    noise = 0.01 * np.random.default_rng(4).standard_normal(PLAN.frames)
    channels = [noise, delayed(300, 0.5), np.zeros(PLAN.frames), delayed(300, 0.02) + noise]
    table = loopback_table(read_loopbacks(PLAN, [(64, np.stack(channels, axis=1))]))
    [row] = table.to_dict("records")
    assert row["channel"] == 2
    assert row["heard_share"] == 1
    assert row["round_trip_frames"] == pytest.approx(300, abs=0.02)


@pytest.mark.slow
@needs_jack
def test_reads_what_jack_iodelay_reads_of_blocks_that_are_adapted():
    ours, theirs = read_both(128, 64, wire=64)
    assert ours["round_trip_frames"] == pytest.approx(theirs, abs=1)
    assert theirs > 128


def test_of_a_device_that_states_a_million_channels_as_many_are_recorded_as_fit(monkeypatch):
    asked = []

    class Stopped:
        def __init__(self, terms, *_, **__):
            asked.append(terms.captured_channels)
            raise DeviceError("stop here")

    source = Device(0, "null", "input", 1_000_000, "OSS")
    pair = source, replace(source, direction="output")
    monkeypatch.setattr(module, "pair_named", lambda *_: pair)
    monkeypatch.setattr(module, "DuplexStream", Stopped)
    with pytest.raises(DeviceError, match="stop here"):
        module.measure_loopback(PLAN)
    assert asked == [module.MOST_RECORDED]
