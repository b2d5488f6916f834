"""Selection of devices on simulated machines, and the sentences for PortAudio's errors."""

import sys
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio import portaudio as module
from jamlab.audio.portaudio import (
    DeviceError,
    close,
    device_named,
    devices,
    explained,
    opened,
    pair_named,
    portaudio,
    refresh,
)

MACHINE = [
    ("HDA Intel: ALC255", 2, 2),
    ("USB Audio", 1, 2),
    ("USB Audio Pro", 8, 8),
    ("HDMI 0", 0, 8),
]


def machine(found, default=(0, 0)):
    """Return `sounddevice`, as a machine with these devices has it."""
    rows = [
        {
            "index": index,
            "name": name,
            "hostapi": 0,
            "max_input_channels": inputs,
            "max_output_channels": outputs,
        }
        for index, (name, inputs, outputs) in enumerate(found)
    ]
    return SimpleNamespace(
        PortAudioError=RuntimeError,
        query_devices=lambda: rows,
        query_hostapis=lambda: ({"name": "ALSA"},),
        default=SimpleNamespace(device=dict(zip(("input", "output"), default, strict=True))),
    )


def fits(device, wanted):
    """Say whether a wish is about a device, for wishes no name is the whole of."""
    words = str(wanted)
    if words.isdecimal():
        return device.index == int(words)
    return words.casefold() in device.name.casefold()


@pytest.fixture(autouse=True)
def _machine(monkeypatch):
    monkeypatch.setattr(module, "portaudio", lambda: machine(MACHINE, default=(1, -1)))


class TestPair:
    """A machine with two interfaces, each with two devices both ways; the first is the default."""

    HOSTS = "ALSA", "ALSA", "JACK", "JACK"

    @pytest.fixture(autouse=True)
    def _two_interfaces(self, monkeypatch):
        found = machine([(f"card {number}", 2, 2) for number in range(4)], default=(0, 0))
        for row, host in zip(found.query_devices(), self.HOSTS, strict=True):
            row["hostapi"] = ("ALSA", "JACK").index(host)
        defaults = [
            {"name": host, "default_input_device": index, "default_output_device": index}
            for host, index in (("ALSA", 0), ("JACK", 3))
        ]
        found.query_hostapis = lambda: defaults
        monkeypatch.setattr(module, "portaudio", lambda: found)

    @pytest.mark.parametrize(
        ("wanted", "indices"),
        [
            ((None, None), (0, 0)),
            ((1, None), (1, 0)),
            ((2, None), (2, 3)),
            ((None, 2), (3, 2)),
            ((2, 3), (2, 3)),
        ],
    )
    def test_belongs_to_one_interface(self, wanted, indices):
        assert tuple(device.index for device in pair_named(*wanted)) == indices

    def test_of_two_interfaces_is_refused_by_both_names(self):
        with pytest.raises(DeviceError, match=r"'card 1' belongs to ALSA .* 'card 2' to JACK.*two"):
            pair_named(1, 2)

    @given(*[st.one_of(st.none(), st.integers(0, 3))] * 2)
    def test_is_never_of_two_and_has_what_was_named(self, wanted_input, wanted_output):
        wanted = wanted_input, wanted_output
        named = [self.HOSTS[index] for index in wanted if index is not None]
        if len({*named}) == 2:
            with pytest.raises(DeviceError):
                pair_named(*wanted)
            return
        pair = pair_named(*wanted)
        assert len({device.host for device in pair}) == 1
        for device, index in zip(pair, wanted, strict=True):
            assert index is None or device.index == index


class TestDevices:
    def test_are_those_with_channels_of_that_direction(self):
        assert [device.index for device in devices("input")] == [0, 1, 2]
        assert [device.index for device in devices("output")] == [0, 1, 2, 3]

    def test_at_most_two_channels_are_used(self):
        assert [device.used_channels for device in devices("input")] == [2, 1, 2]

    def test_know_the_systems_interface(self):
        assert {device.host for device in devices("input")} == {"ALSA"}


class TestChoice:
    @pytest.mark.parametrize(
        ("wanted", "index"),
        [(2, 2), ("2", 2), ("alc255", 0), ("USB Audio", 1), ("usb audio pro", 2), ("Pro", 2)],
    )
    def test_by_index_or_name(self, wanted, index):
        assert device_named(wanted, "input").index == index

    def test_the_systems_default(self):
        assert device_named(None, "input").index == 1

    def test_the_first_where_there_is_no_default(self):
        assert device_named(None, "output").index == 0

    @pytest.mark.parametrize("wanted", ["HDMI", 3, "9", "microphone"])
    def test_none_is_called_so(self, wanted):
        with pytest.raises(DeviceError, match=r"no input device matches .*; 1 USB"):
            device_named(wanted, "input")

    def test_several_are_called_so(self):
        with pytest.raises(DeviceError, match=r"more than one .* 'usb': choose one of 1 .*; 2 "):
            device_named("usb", "input")

    def test_a_machine_without_any(self, monkeypatch):
        monkeypatch.setattr(module, "portaudio", lambda: machine([("HDMI 0", 0, 8)]))
        with pytest.raises(DeviceError, match="no input device: plug a sound card in"):
            device_named(None, "input")

    @given(st.one_of(st.none(), st.integers(), st.text(max_size=8)))
    def test_any_wish_is_fulfilled_or_refused(self, wanted):
        fulfilled = [device for device in devices("output") if fits(device, wanted)]
        if wanted is None or len(fulfilled) == 1:
            assert device_named(wanted, "output") in devices("output")
        else:
            with pytest.raises(DeviceError, match="choose one of"):
                device_named(wanted, "output")


class TestWords:
    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (-9997, "does not run at 48000 Hz"),
            (-9996, "is no longer there"),
            (-9985, "is in use by another program"),
            (-9999, "cannot be opened: it says so"),
        ],
    )
    def test_say_what_and_what_to_do(self, code, words):
        said = str(explained(OSError("it says so", code), "the input device 'x'"))
        assert said.startswith(f"the input device 'x' {words}")

    def test_an_error_without_a_code(self):
        assert "cannot be opened" in str(explained(OSError("broken"), "the card"))


class TestRefresh:
    def test_ends_portaudio_and_starts_it_again(self, monkeypatch):
        done = []
        stands_in = SimpleNamespace(
            _initialized=1,
            _terminate=lambda: done.append("ended"),
            _initialize=lambda: done.append("started"),
            PortAudioError=RuntimeError,
        )
        monkeypatch.setattr(module, "portaudio", lambda: stands_in)
        refresh()
        assert done == ["ended", "started"]

    def test_what_keeps_it_from_that_is_a_device_s_error(self, monkeypatch):
        """Whoever looks for a card every second goes on looking, and may find one."""
        stands_in = SimpleNamespace(_initialized=1, PortAudioError=RuntimeError)
        broken = True

        def terminate():
            assert stands_in._initialized, "PortAudio not initialized"
            stands_in._initialized -= 1

        def initialize():
            if broken:
                raise RuntimeError("no host API")
            stands_in._initialized += 1

        stands_in._terminate, stands_in._initialize = terminate, initialize
        monkeypatch.setattr(module, "portaudio", lambda: stands_in)
        for _ in range(2):
            with pytest.raises(DeviceError, match="does not start again: no host API"):
                refresh()
        broken = False
        refresh()
        assert stands_in._initialized == 1

    def test_never_under_a_stream_that_is_open(self, monkeypatch):
        """PortAudio frees what streams use as it ends: another card's callback would read that."""
        done, streams = [], [SimpleNamespace(close=lambda: None) for _ in range(2)]
        stands_in = SimpleNamespace(
            _initialized=1,
            _terminate=lambda: done.append("ended"),
            _initialize=lambda: done.append("started"),
            PortAudioError=RuntimeError,
        )
        monkeypatch.setattr(module, "portaudio", lambda: stands_in)
        for stream in streams:
            assert opened(lambda stream=stream: stream) is stream
        for stream in streams:
            assert not refresh()
            close(stream)
        assert done == []
        assert refresh()
        assert done == ["ended", "started"]

    def test_nor_while_one_does_not_come_back_from_being_closed(self, monkeypatch):
        ended, closed, done = threading.Event(), threading.Event(), []
        stands_in = SimpleNamespace(
            _initialized=0,
            _initialize=lambda: done.append("started"),
            _exit_handler=None,
            PortAudioError=RuntimeError,
        )
        monkeypatch.setattr(module, "portaudio", lambda: stands_in)
        monkeypatch.setattr(module, "CLOSES_IN_S", 0.0)

        def hang():
            ended.wait()
            closed.set()

        stream = opened(lambda: SimpleNamespace(close=hang))
        close(stream)
        assert not refresh()
        ended.set()
        closed.wait()
        while not refresh():  # the closing thread has it off the list at once
            pass
        assert done == ["started"]

    def test_a_stream_that_cannot_be_opened_is_not_open(self, monkeypatch):
        stands_in = SimpleNamespace(
            _initialized=0, _initialize=lambda: None, PortAudioError=RuntimeError
        )
        monkeypatch.setattr(module, "portaudio", lambda: stands_in)

        def fail():
            raise RuntimeError("busy")

        with pytest.raises(RuntimeError, match="busy"):
            opened(fail)
        assert refresh()

    def test_who_lists_devices_meanwhile_is_told_so(self, monkeypatch):
        def uninitialized():
            raise RuntimeError("PortAudio not initialized")

        stands_in = SimpleNamespace(query_hostapis=uninitialized, PortAudioError=RuntimeError)
        monkeypatch.setattr(module, "portaudio", lambda: stands_in)
        with pytest.raises(DeviceError, match=r"cannot list devices now \(.*\): try again"):
            devices("input")


def test_without_portaudio_it_says_how_to_install_it(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    class Missing:
        def find_spec(self, name, *_):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice")
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(DeviceError, match="apt-get install libportaudio2"):
        portaudio()
