"""Streams on a stand-in for PortAudio that calls back by hand."""

import numpy as np
import pytest

from jamlab.audio import duplex_stream as module
from jamlab.audio import portaudio
from jamlab.audio.duplex_stream import DuplexStream, Terms
from jamlab.audio.portaudio import JACK, Device, DeviceError

SOURCE = Device(0, "microphone", "input", 2, JACK, rate=44_100)
OUTPUT = Device(1, "speakers", "output", 2, JACK, rate=44_100)


class PortAudio:
    """A card with one rate; its streams note that they were closed."""

    def __init__(self, rate):
        self.rate, self.opened, self.closed = rate, [], 0

    def Stream(self, **options):  # noqa: N802 (sounddevice's name)
        if options["samplerate"] != self.rate:
            raise OSError("Invalid sample rate", -9997)
        self.options, self.latency = options, (0.003, 0.004)
        self.opened.append(options["samplerate"])
        return self

    OutputStream = Stream

    def start(self):
        """It calls back by hand."""

    def close(self):
        self.closed += 1

    def block(self, *captured):
        """Return what is played in a block."""
        played = np.full((len(captured[0]) if captured else 128, 2), np.nan, dtype=np.float32)
        self.options["callback"](*captured, played, len(played), None, "")
        return played


@pytest.fixture(name="card", params=[48_000, 44_100])
def make_card(request, monkeypatch):
    card = PortAudio(request.param)
    monkeypatch.setattr(module, "portaudio", lambda: card)
    monkeypatch.setattr(portaudio, "_streams", [])
    monkeypatch.setattr(portaudio, "abandon", lambda: None)
    return card


def stream_of(source=SOURCE, **options):
    terms = Terms(source, OUTPUT, 2 if source else 0, 2, 128, "low", **options)
    misfits, blocks = [], []

    def exchange(block):
        blocks.append(block.shape)
        return np.full((len(block), 2), 0.5, dtype=np.float32)

    stream = DuplexStream(
        terms, exchange, misfit=lambda: misfits.append(1), after=lambda status: None
    )
    return stream, blocks, misfits


@pytest.mark.parametrize(("source", "channels"), [(SOURCE, 2), (None, 1)])
def test_blocks_of_48_khz_are_exchanged_whatever_the_rate(card, source, channels):
    stream, blocks, misfits = stream_of(source)
    assert card.opened == [card.rate]
    assert stream.rate == card.rate
    assert stream.stated_latency_s == pytest.approx(0.007)
    captured = [] if source is None else [np.zeros((128, 2), dtype=np.float32)]
    played = [card.block(*captured) for _ in range(20)]
    assert {*blocks} == {(128, channels)}
    assert played[-1] == pytest.approx(0.5, abs=1e-3)
    assert (stream.conversion_s > 0) is (card.rate != 48_000)
    assert misfits == []
    stream.close()


@pytest.mark.parametrize("stated", [(89_478.5, 89_478.5), (0.0, 0.0), (float("nan"), 0.01)])
def test_a_latency_that_cannot_be_is_not_stated(card, stated):
    stream, _, _ = stream_of()
    card.latency = stated
    assert stream.stated_latency_s is None
    stream.close()


def test_a_block_of_another_length_is_silent_and_told_or_converted(card):
    stream, blocks, misfits = stream_of()
    played = [card.block(np.zeros((100, 2), dtype=np.float32)) for _ in range(20)]
    assert np.isfinite(played).all()
    assert bool(misfits) is (card.rate == 48_000)
    assert bool(blocks) is (card.rate != 48_000)
    stream.close()


def test_one_that_does_not_start_is_closed_and_one_sentence(card, monkeypatch):
    def fail():
        raise UnicodeDecodeError("utf-8", b"Caf\xe9", 3, 4, "unexpected end of data")

    monkeypatch.setattr(card, "start", fail)
    with pytest.raises(DeviceError, match="pair of 'microphone' and 'speakers' cannot be opened"):
        stream_of()
    assert card.closed == 1


def test_a_rate_that_nothing_runs_at_is_one_sentence(card):
    card.rate = 8000
    with pytest.raises(DeviceError, match="runs neither at 48000 Hz nor at its own rate"):
        stream_of()


@pytest.mark.parametrize("pipewire", [True, False])
def test_it_is_silent_once_closed_and_left_open_where_closing_may_abort(
    card, monkeypatch, pipewire
):
    monkeypatch.setattr(portaudio, "_is_pipewires", lambda: pipewire)
    stream, blocks, _ = stream_of()
    stream.close()
    stream.close()
    assert card.closed == (0 if pipewire else 1)
    assert not card.block(np.ones((128, 2), dtype=np.float32)).any()
    assert blocks == []
    assert portaudio._streams == ([card] if pipewire else [])  # nor is PortAudio ended under it
