"""Selection of devices on simulated machines, and the sentences for PortAudio's errors."""

import os
import subprocess
import sys
import threading
from ctypes.util import find_library
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio import portaudio as module
from jamlab.audio.portaudio import (
    Device,
    DeviceError,
    at_first_rate,
    close,
    device_named,
    devices,
    explained,
    in_utf8,
    opened,
    pair_named,
    portaudio,
    rates_of,
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
        return str(device.index) == words
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
        with pytest.raises(DeviceError, match=r"no input device matches .*; USB Audio, ALSA"):
            device_named(wanted, "input")

    def test_several_are_called_so(self):
        with pytest.raises(
            DeviceError,
            match=r"more than one .* 'usb': choose one of USB Audio, ALSA; USB Audio Pro, ALSA",
        ):
            device_named("usb", "input")

    def test_a_default_that_cannot_be_told_is_one_sentence(self, monkeypatch):
        found = machine(MACHINE)
        found.default = None
        monkeypatch.setattr(module, "portaudio", lambda: found)
        with pytest.raises(DeviceError, match="cannot list devices now"):
            device_named(None, "input")

    def test_a_machine_without_any(self, monkeypatch):
        monkeypatch.setattr(module, "portaudio", lambda: machine([("HDMI 0", 0, 8)]))
        with pytest.raises(DeviceError, match="no input device: plug a sound card in"):
            device_named(None, "input")

    @given(st.one_of(st.none(), st.integers(), st.text(max_size=8)))
    def test_any_wish_is_fulfilled_or_refused(self, wanted):
        known = devices("output")
        fulfilled = [device for device in known if fits(device, wanted)] or [
            device for device in known if str(wanted).casefold() in device.title.casefold()
        ]
        if wanted is None or len(fulfilled) == 1:
            assert device_named(wanted, "output") in devices("output")
        else:
            with pytest.raises(DeviceError, match="choose one of"):
                device_named(wanted, "output")


class TestSameName:
    """Three microphones on one host interface, and a card on two."""

    @pytest.fixture(autouse=True)
    def _alike(self, monkeypatch):
        names = ["Microphone", "Scarlett", "microphone", "Scarlett", "Microphone", "7"]
        found = machine([(name, 2, 0) for name in names])
        for index, host in enumerate((0, 0, 0, 1, 0, 0)):
            found.query_devices()[index]["hostapi"] = host
        found.query_hostapis = lambda: ({"name": "ALSA"}, {"name": "JACK"})
        monkeypatch.setattr(module, "portaudio", lambda: found)

    def test_options_differ(self):
        with pytest.raises(DeviceError) as refused:
            device_named("microphone", "input")
        assert str(refused.value).endswith(
            "choose one of Microphone, ALSA #1; microphone, ALSA #2; Microphone, ALSA #3"
        )
        with pytest.raises(DeviceError, match=r"choose one of Scarlett, ALSA; Scarlett, JACK$"):
            device_named("Scarlett", "input")

    def test_every_title_finds_its_device_and_only_that(self):
        known = devices("input")
        assert len({device.title.casefold() for device in known}) == len(known)
        for device in known:
            assert device_named(device.title, "input") == device
            assert device_named(device.title.upper(), "input") == device

    @pytest.mark.parametrize("wanted", ["scarlett, j", "JACK"])
    def test_the_host_interface_decides(self, wanted):
        assert device_named(wanted, "input").index == 3

    @pytest.mark.parametrize("wanted", ["9" * 5000, "\N{ARABIC-INDIC DIGIT ONE}", "-1", ""])
    def test_numbers_of_no_device_are_refused(self, wanted):
        with pytest.raises(DeviceError, match="choose one of"):
            device_named(wanted, "input")


class TestFaults:
    """Drivers say anything: a list that cannot be read is one sentence."""

    @pytest.mark.parametrize(
        "error",
        [
            UnicodeDecodeError("utf-8", b"Caf\xe9", 3, 4, "unexpected end of data"),
            OSError("no host API"),
            KeyError("hostapi"),
            AssertionError(),
        ],
    )
    @pytest.mark.parametrize("question", ["query_devices", "query_hostapis"])
    def test_of_a_list_are_one_sentence(self, monkeypatch, question, error):
        def fail():
            raise error

        found = machine(MACHINE)
        setattr(found, question, fail)
        monkeypatch.setattr(module, "portaudio", lambda: found)
        for ask in (devices, lambda way: device_named(None, way), lambda _: pair_named(None, None)):
            with pytest.raises(DeviceError, match="PortAudio cannot list devices now"):
                ask("input")

    @pytest.mark.parametrize("error", [RuntimeError("Error initializing PortAudio"), KeyError(1)])
    def test_of_its_start_are_one_sentence(self, monkeypatch, error):
        class Failing:
            def find_spec(self, name, *_):
                if name == "sounddevice":
                    raise error

        monkeypatch.undo()
        monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Failing(), *sys.meta_path])
        with pytest.raises(DeviceError, match="PortAudio does not start"):
            portaudio()


@pytest.mark.parametrize(
    ("library", "there"),
    [
        ("/usr/lib/x86_64-linux-gnu/pipewire-0.3/jack/libjack.so.0.3.65", True),
        ("/usr/lib/x86_64-linux-gnu/libjack.so.0.1.0", False),
    ],
)
def test_pipewire_s_jack_is_told_from_another(tmp_path, library, there):
    maps = tmp_path / "maps"
    maps.write_text(f"7f00-7f01 r-xp 00000000 08:01 42    {library}\n")
    assert module._is_pipewires(maps) is there
    assert not module._is_pipewires(tmp_path / "absent")


ALSA_CONF = Path("/usr/share/alsa/alsa.conf")


@pytest.mark.skipif(
    not ALSA_CONF.exists() or find_library("portaudio") is None,
    reason="PortAudio on ALSA is not installed: apt-get install libportaudio2 libasound2-data",
)
def test_a_real_device_whose_name_is_not_utf_8_is_listed_and_opens(tmp_path):
    configuration = tmp_path / "asound.conf"
    configuration.write_bytes(
        f"<{ALSA_CONF}>\n".encode() + b'pcm."Caf\xe9" { type null }\npcm.other { type null }\n'
    )
    program = (
        "from jamlab.audio.portaudio import device_named, devices, portaudio\n"
        "print([device.title for device in devices('input')])\n"
        "found = device_named('caf', 'input')\n"
        "portaudio().InputStream(device=found.index, samplerate=48000, channels=2).close()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "ALSA_CONFIG_PATH": str(configuration),
            "JACK_NO_START_SERVER": "1",
            "PYTHONUTF8": "1",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "other, ALSA" in ended.stdout
    assert "Caf" in ended.stdout


class TestText:
    @given(st.text())
    def test_in_utf_8_is_as_it_was(self, text):
        assert (
            in_utf8(text.encode(errors="ignore")).decode() == text.encode(errors="ignore").decode()
        )

    @given(st.binary())
    def test_in_any_encoding_can_be_read(self, raw):
        in_utf8(raw).decode()

    def test_in_another_encoding_shows_its_bytes(self, monkeypatch):
        monkeypatch.setattr(module.locale, "getencoding", lambda: "utf-8")
        assert in_utf8(b"Caf\xe9") == b"Caf\\xe9"

    def test_in_the_locale_s_encoding_is_as_it_was_meant(self, monkeypatch):
        monkeypatch.setattr(module.locale, "getencoding", lambda: "cp1252")
        assert in_utf8(b"Caf\xe9").decode() == "Caf\N{LATIN SMALL LETTER E WITH ACUTE}"


class TestRates:
    def test_of_two_devices_begin_with_ours(self):
        slow, odd = (Device(0, "x", "input", 2, "ALSA", rate=rate) for rate in (44_100.0, 96_000.0))
        assert rates_of(odd, slow) == [48_000, 96_000, 44_100]
        assert rates_of() == [48_000, 44_100]

    @pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf"), 1e300])
    def test_that_cannot_be_are_left_out(self, rate):
        assert rates_of(Device(0, "x", "input", 2, "ALSA", rate=rate)) == [48_000, 44_100]

    def test_the_first_that_a_device_runs_at_is_taken(self):
        tried = []

        def attempt(rate):
            tried.append(rate)
            if rate == 48_000:
                raise OSError("Invalid sample rate", -9997)
            return f"at {rate}"

        assert at_first_rate([48_000, 44_100, 8000], attempt) == "at 44100"
        assert tried == [48_000, 44_100]

    @pytest.mark.parametrize("code", [-9985, -9997])
    def test_where_there_is_none_the_device_s_error_is_raised(self, code):
        def attempt(rate):
            raise OSError(f"refused at {rate}", code)

        with pytest.raises(OSError, match="refused at") as refused:
            at_first_rate([48_000, 44_100], attempt)
        assert refused.value.args[0] == f"refused at {44_100 if code == -9997 else 48_000}"


class TestWords:
    @pytest.mark.parametrize(
        ("code", "words"),
        [
            (-9997, "runs neither at 48000 Hz nor at its own rate"),
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

    @given(st.lists(st.one_of(st.none(), st.text(), st.binary(), st.floats()), max_size=5))
    def test_whatever_an_error_is_made_of(self, arguments):
        assert str(explained(ValueError(*arguments), "the card")).startswith("the card cannot be")

    def test_a_name_that_cannot_be_read(self):
        error = UnicodeDecodeError("utf-8", b"Caf\xe9", 3, 4, "unexpected end of data")
        said = str(explained(error, "the card"))
        assert said.startswith("the card cannot be opened: 'utf-8' codec can't decode byte 0xe9")


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

    @pytest.mark.parametrize(
        "error",
        [RuntimeError("no host API"), UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "no host API")],
    )
    def test_what_keeps_it_from_that_is_a_device_s_error(self, monkeypatch, error):
        """Whoever looks for a card every second goes on looking, and may find one."""
        stands_in = SimpleNamespace(_initialized=1, PortAudioError=RuntimeError)
        broken = True

        def terminate():
            assert stands_in._initialized, "PortAudio not initialized"
            stands_in._initialized -= 1

        def initialize():
            if broken:
                raise error
            stands_in._initialized += 1

        stands_in._terminate, stands_in._initialize = terminate, initialize
        monkeypatch.setattr(module, "portaudio", lambda: stands_in)
        for _ in range(2):
            with pytest.raises(DeviceError, match=r"does not start again: .*no host API"):
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
            close(stream, "ALSA")
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
        close(stream, "ALSA")
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
