"""The choice of a sound card by options: which request one, and which contradict each other."""

from argparse import Namespace

import pytest

from jamlab.audio.card import MOST_BLOCK_FRAMES
from jamlab.cli.machine.microphone import ANSWERS
from jamlab.cli.machine.sound_card import ChoiceError, DeviceChoice, device_choice

NONE = dict.fromkeys(
    ("input", "output", "block_frames", "microphone", "input_channels", "output_channels")
)


def options(**given):
    return Namespace(**{"sound_card": False, "echo": False, **NONE, **given})


def test_no_option_requests_none():
    assert device_choice(options()) is None


@pytest.fixture
def _no_devices(monkeypatch):
    monkeypatch.setattr("jamlab.cli.machine.sound_card.devices", lambda _: [])


@pytest.mark.usefixtures("_no_devices")
@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"sound_card": True}, "block_frames", DeviceChoice.block_frames),
        ({"block_frames": 64}, "block_frames", 64),
        ({"input": "USB"}, "input_device", "USB"),
        ({"output": "USB"}, "output_device", "USB"),
        ({"input_channels": "2"}, "input_channels", (2,)),
    ],
)
def test_any_option_about_one_requests_it(given, name, value):
    choice = device_choice(options(microphone=next(iter(ANSWERS)), **given))
    assert getattr(choice, name) == value


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"echo": True}, "--echo needs the virtual card"),
        ({"block_frames": MOST_BLOCK_FRAMES + 1}, "--block-frames is"),
        ({"input_channels": "x"}, "--input-channels: "),
    ],
)
def test_what_no_card_can_do(given, fault):
    with pytest.raises(ChoiceError, match=fault):
        device_choice(options(sound_card=True, **given))
