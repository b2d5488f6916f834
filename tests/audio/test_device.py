"""Real PortAudio on a JACK server without hardware, and the loss and return of a card."""

import asyncio
import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from jamlab.audio import device as module
from jamlab.audio.card import MicrophoneUnavailableError
from jamlab.audio.device import DeviceCard, slack_of
from jamlab.audio.duplex_stream import Terms
from jamlab.audio.permission import MicrophoneAccess
from jamlab.audio.portaudio import Device, DeviceError
from tests.audio.jack import iodelay, jack, needs_jack
from tests.audio.pulse import needs_pulse, pulse


class Process:
    """A module at work on a card of its own."""

    def __init__(self, server, *what, module="tests.audio.on_jack"):
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, what)],
            env=server.env,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def line(self):
        return self._process.stdout.readline().strip()

    def end(self):
        """Let it end; returns what it found."""
        told, _ = self._process.communicate("\n", timeout=60)
        assert self._process.returncode == 0
        return json.loads(told.splitlines()[-1])

    def kill(self):
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(server, *what, **options):
    process = Process(server, *what, **options)
    try:
        yield process
    finally:
        process.kill()


@needs_jack
class TestOnJack:
    @pytest.mark.slow
    def test_both_directions_are_listed(self):
        with jack(128) as server, running(server, "listing") as process:
            found = process.end()
        assert [(one["direction"], one["channels"], one["name"]) for one in found] == [
            ("input", 2, "system"),
            ("output", 2, "system"),
        ]

    @pytest.mark.slow
    def test_what_is_captured_is_called_back_with_and_what_comes_back_is_played(self):
        """A signal through the card and back to who sent it, in JACK's own reading."""
        with jack(256) as server, running(server, "card", 256) as process:
            assert process.line() == "started"
            ports = server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0")
            with iodelay(server, *ports) as reading:
                periods = reading() / 256
            found = process.end()
        assert periods == pytest.approx(2, abs=1e-4)  # JACK's own for a loop, the bridge's slack
        assert found["changes"] == []
        assert found["loudest"] > 0
        assert found["frames"] % 256 == 0
        assert found["frames"] >= found["blocks"] * 256  # the others were the stand-in's

    @pytest.mark.slow
    @pytest.mark.parametrize("block_frames", [64, 256])
    def test_blocks_the_server_does_not_have_are_made_of_its_own(self, block_frames):
        """What PortAudio adds for it hangs on how the two fit; a whole number of blocks it is."""
        with jack(128) as server, running(server, "card", block_frames) as process:
            assert process.line() == "started"
            ports = server.port("PortAudio", "out_2"), server.port("PortAudio", "in_2")
            with iodelay(server, *ports) as reading:
                frames = reading()
            found = process.end()
        slack = slack_of(block_frames) * block_frames
        assert frames > 128 + slack
        assert frames % min(block_frames, 128) == pytest.approx(0, abs=0.1)
        assert found["frames"] % block_frames == 0
        assert found["changes"] == []

    @pytest.mark.slow
    def test_without_capture_it_has_no_input_port(self):
        with jack(256) as server, running(server, "card", 256, "play") as process:
            assert process.line() == "started"
            server.port("PortAudio", "out_0")
            inputs = [p for p in server.run("jack_lsp").split() if "PortAudio:in" in p]
            found = process.end()
        assert inputs == []
        assert found["loudest"] == 0
        assert found["blocks"] > 0

    @pytest.mark.slow
    def test_the_session_goes_on_without_the_server(self):
        with jack(256) as server, running(server, "card", 256) as process:
            assert process.line() == "started"
            server.port("PortAudio", "out_0")
            server.end()
            assert process.line() == "gone"
            found = process.end()
        [[there, reason]] = found["changes"]
        assert not there
        assert "JACK server has ended" in reason


@pytest.mark.parametrize(("block_frames", "slack"), [(32, 3), (64, 2), (96, 1), (128, 1), (256, 1)])
def test_the_loop_has_two_milliseconds(block_frames, slack):
    assert slack_of(block_frames) == slack
    assert (slack - 1) * block_frames < 0.002 * 48_000 <= slack * block_frames


@pytest.mark.slow
@needs_jack
def test_it_can_be_stopped_though_the_server_has_just_ended():
    with jack(256) as server, running(server, "card", 256) as process:
        assert process.line() == "started"
        server.port("PortAudio", "out_0")
        server.end()
        process.end()


@pytest.mark.slow
@needs_pulse
def test_one_that_goes_is_heard_again_when_it_is_back(tmp_path):
    """A PulseAudio server that is killed and begun anew: nothing here is a stand-in."""
    on_pulse = {"module": "tests.audio.on_pulse"}
    with pulse(tmp_path) as server, running(server, **on_pulse) as process:
        assert process.line() == "heard"
        server.end()
        assert (
            process.line() == "gone: the sound card has stopped: it was unplugged or switched off"
        )
        server.begin()
        assert process.line() == "back"
        assert process.line() == "heard"


TERMS = Terms(
    Device(0, "microphone", "input", 2, "ALSA"),
    Device(1, "speakers", "output", 2, "ALSA"),
    captured_channels=2,
    played_channels=2,
    block_frames=480,
    latency="low",
)


class Absent(DeviceCard):
    """A card that is not there until it is plugged in, and works as long as it is."""

    plugged = False

    def __init__(self, **options):
        super().__init__(**options)
        self.opened = asyncio.Event()

    def _open(self):
        if not self.plugged:
            raise DeviceError("there is none")
        self._bridge = self._new_bridge()
        self._stream = self
        self.opened.set()

    def close(self):
        """Nothing is open."""

    def call_back(self):
        """One block, as PortAudio's thread brings it."""
        loud = np.ones((self.block_frames, 2), dtype=np.float32)
        played = self._swap(self._bridge, TERMS, loud)
        self._after_block(self._bridge, None)
        return played


class PortAudioStandIn:
    class PortAudioError(Exception):
        pass


@pytest.fixture(name="absent")
def make_absent(monkeypatch):
    monkeypatch.setattr(module, "portaudio", lambda: PortAudioStandIn)
    monkeypatch.setattr(module, "refresh", lambda: None)
    monkeypatch.setattr(module, "_check_microphone", lambda *_: None)
    monkeypatch.setattr(module, "LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr(module, "SILENT_FOR_S", 0.05)
    changes = asyncio.Queue()
    card = Absent(block_frames=480, access=MicrophoneAccess.granted())
    card.changes, card.on_change = changes, changes.put_nowait
    return card


@pytest.mark.usefixtures("nothing_left")
class TestWithoutACard:
    async def test_it_calls_back_with_silence_and_says_why(self, absent):
        called = asyncio.Event()

        def callback(block):
            assert not block.any()
            assert absent.too_late
            called.set()
            return block

        absent.start(callback)
        change = await absent.changes.get()
        assert (change.there, change.reason) == (False, "there is none")
        await called.wait()
        absent.stop()

    async def test_it_is_picked_up_when_it_comes(self, absent):
        heard = asyncio.Event()

        def callback(block):
            if block.any():
                assert not absent.too_late
                heard.set()
            return block

        absent.start(callback)
        assert not (await absent.changes.get()).there
        absent.plugged = True
        await absent.opened.wait()
        absent.call_back()
        await heard.wait()
        assert (await absent.changes.get()).there
        absent.stop()

    async def test_one_that_stops_is_noticed_and_picked_up_again(self, absent):
        absent.plugged = True
        absent.start(lambda block: block)
        absent.call_back()
        gone = await absent.changes.get()
        assert not gone.there
        assert "unplugged" in gone.reason
        absent.opened.clear()
        await absent.opened.wait()
        absent.call_back()
        assert (await absent.changes.get()).there
        absent.stop()

    async def test_one_that_was_opened_anew_meanwhile_is_not_gone(self, absent):
        absent.plugged = True
        absent.start(lambda block: block)
        absent.call_back()
        looking = asyncio.create_task(absent._is_silent())
        await asyncio.sleep(0)
        absent._open()  # as for blocks of another length
        assert not await looking
        absent.stop()

    async def test_one_that_is_slow_to_start_is_stood_in_for_in_silence(self, absent, monkeypatch):
        monkeypatch.setattr(module, "STARTS_IN_S", 1e6)
        blocks = asyncio.Queue()

        def callback(block):
            blocks.put_nowait((block.any(), absent.too_late))
            return block

        absent.plugged = True
        absent.start(callback)
        for _ in range(20):  # longer than one that has stopped is waited for
            assert await blocks.get() == (False, True)
        absent.call_back()
        while not (await blocks.get())[0]:
            pass
        assert absent.changes.empty()
        absent.stop()

    async def test_one_that_never_starts_is_gone(self, absent, monkeypatch):
        monkeypatch.setattr(module, "STARTS_IN_S", 0.1)
        absent.plugged = True
        absent.start(lambda block: block)
        assert not (await absent.changes.get()).there
        absent.stop()

    async def test_it_cannot_be_started_twice_but_again(self, absent):
        absent.plugged = True
        absent.start(lambda block: block)
        with pytest.raises(RuntimeError, match="stop it first"):
            absent.start(lambda block: block)
        absent.stop()
        absent.start(lambda block: block)
        absent.stop()

    async def test_what_nobody_foresaw_leaves_nothing_running(self, absent, monkeypatch):
        def fail():
            raise ValueError("no such latency")

        monkeypatch.setattr(absent, "_open", fail)
        with pytest.raises(ValueError, match="no such latency"):
            absent.start(lambda block: block)
        assert absent._stand_in is None
        monkeypatch.undo()
        absent.stop()

    async def test_what_the_driver_lost_is_counted(self, absent):
        absent.plugged = True
        absent.start(lambda block: block)
        absent._after_block(absent._bridge, "output underflow")
        assert absent.counters.xruns == 1
        absent.stop()


class TestDescription:
    def stream(self, **values):
        defaults = {"terms": TERMS, "rate": 48_000, "conversion_s": 0.0, "stated_latency_s": 0.0123}
        return SimpleNamespace(**defaults | values)

    def test_names_the_devices_and_their_host_interface(self, monkeypatch):
        monkeypatch.setattr(module, "better_host", lambda _: None)
        card = DeviceCard()
        assert card.description == ""
        card._stream = self.stream()
        assert card.description == (
            "input 'microphone', output 'speakers' by ALSA; its driver states 12.3 ms"
        )
        card._stream = self.stream(terms=replace(TERMS, source=None), stated_latency_s=None)
        assert card.description == "output 'speakers' by ALSA"

    def test_says_that_the_rate_is_converted_and_that_another_interface_is_faster(
        self, monkeypatch
    ):
        monkeypatch.setattr(module, "better_host", lambda device: f"not {device.host}")
        card = DeviceCard()
        card._stream = self.stream(rate=44_100, conversion_s=0.0037)
        assert card.description.endswith(
            "; 44100 Hz, converted to 48000 Hz, which adds 3.7 ms; "
            "not ALSA is here too and faster: choose a device of it"
        )


class TestKept:
    """A number is the device's that had it at first, by its name and host interface."""

    def test_a_number_that_shifts_opens_the_same_device(self, monkeypatch):
        names = ["speakers", "headphones"]

        def named(wanted, _):
            known = [Device(at, name, "output", 2, "ALSA") for at, name in enumerate(names)]
            return next(each for each in known if wanted in (each.index, each.title))

        monkeypatch.setattr(module, "device_named", named)
        card = DeviceCard(output_device=1)
        card._capture = False
        assert card._terms().output.name == "headphones"
        names.insert(0, "another client")
        assert card._terms().output.name == "headphones"
        assert card._terms().output.index == 2

    @pytest.mark.parametrize("channels", [(3,), (1, 3)])
    def test_channels_that_a_device_lacks_are_one_sentence(self, monkeypatch, channels):
        speakers = Device(0, "speakers", "output", 2, "ALSA")
        monkeypatch.setattr(module, "device_named", lambda *_: speakers)
        card = DeviceCard(output_channels=channels)
        card._capture = False
        with pytest.raises(DeviceError, match=r"'speakers' has channels 1 to 2, and not .*3"):
            card._terms()

    def test_channels_that_nothing_has_are_refused_at_once(self):
        with pytest.raises(ValueError, match="channels"):
            DeviceCard(input_channels=(0,))


async def test_without_a_microphone_it_has_not_begun(monkeypatch):
    def none(wanted, direction):
        raise DeviceError("this machine has no input device: plug a sound card in")

    monkeypatch.setattr(module, "device_named", none)
    card = DeviceCard(access=MicrophoneAccess.granted())
    with pytest.raises(MicrophoneUnavailableError, match="no input device: plug"):
        card.start(lambda block: block)
    assert card.counters.blocks == 0


class TestPermission:
    """Nothing is opened before it was allowed."""

    @pytest.mark.parametrize("answer", [None, MicrophoneAccess.deny, MicrophoneAccess.listen_only])
    async def test_without_it_the_card_has_not_begun(self, monkeypatch, answer):
        asked = []
        monkeypatch.setattr(module, "device_named", lambda *what: asked.append(what))
        access = MicrophoneAccess()
        if answer:
            answer(access)
        card = DeviceCard(access=access)
        with pytest.raises(MicrophoneUnavailableError, match="Microphone access is required"):
            card.start(lambda block: block)
        assert asked == []
        assert card.counters.blocks == 0

    async def test_a_card_nobody_spoke_of_may_not_capture(self):
        with pytest.raises(MicrophoneUnavailableError, match="the user has not been asked"):
            DeviceCard().start(lambda block: block)

    async def test_playing_needs_none(self, absent):
        absent._access.deny()
        absent.plugged = True
        absent.start(lambda block: block, capture=False)
        absent.stop()

    async def test_the_input_that_was_allowed_is_the_one_that_is_opened(self, monkeypatch):
        asked = []
        monkeypatch.setattr(module, "_check_microphone", lambda wanted, _: asked.append(wanted))

        def none(*wanted):
            asked.append(wanted)
            raise DeviceError("there is none")

        monkeypatch.setattr(module, "pair_named", none)
        monkeypatch.setattr(module, "portaudio", lambda: PortAudioStandIn)
        for allowed, opened in ((None, "mine"), ("theirs", "theirs"), (0, 0)):
            card = DeviceCard("mine", access=MicrophoneAccess.granted(allowed))
            card.start(lambda block: block)
            card.stop()
            assert asked[0] == opened
            asked.clear()
