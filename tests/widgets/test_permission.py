"""The microphone permission without a browser: answers, list of inputs and messages."""

import asyncio
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.permission import MicrophoneAccess, PermissionState
from jamlab.audio.portaudio import PORTAUDIO_REMEDY, Device, DeviceError
from jamlab.widgets import MicrophonePermission
from jamlab.widgets import permission as module
from tests.leaks import until

pytestmark = pytest.mark.usefixtures("nothing_left")

USB = Device(3, "USB", "input", 1, "ALSA")
TWINS = [Device(5, "Line", "input", 2, "MME"), Device(6, "line", "input", 2, "WASAPI")]
DIGITS = Device(7, "8", "input", 2, "ALSA")


@pytest.fixture(name="inputs")
def make_inputs(monkeypatch):
    """The inputs there are; the first is the system's."""
    inputs = [USB, *TWINS, DIGITS]
    monkeypatch.setattr(module, "devices", lambda direction: [*inputs])
    monkeypatch.setattr(module, "device_named", lambda *_: inputs[0])
    return inputs


@pytest.fixture(name="permission")
async def make_permission(inputs):
    permission = MicrophonePermission()
    yield permission
    permission.close()


def answer(permission, **content):
    """As the front end does."""
    permission._hear(None, content, None)


def test_it_needs_an_event_loop_to_answer_on():
    with pytest.raises(RuntimeError, match="no running event loop"):
        MicrophonePermission()


class TestQuestion:
    async def test_it_says_what_for_and_whose_microphone(self, permission):
        assert permission.sentence == "Microphone access is required for jamming"
        assert permission.machine == socket.gethostname()
        assert permission.state == "prompt"

    async def test_devices_are_listed_by_what_finds_them_again(self, permission):
        listed = [(each["key"], each["name"], each["default"]) for each in permission.inputs]
        assert listed == [
            ("USB, ALSA", "USB", True),
            ("Line, MME", "Line", False),  # two are called so
            ("line, WASAPI", "line", False),
            ("8, ALSA", "8", False),  # a name of digits alone would be read as an index
        ]
        assert permission.listing == ""

    async def test_without_any_it_says_so(self, inputs):
        inputs.clear()
        permission = MicrophonePermission()
        assert permission.listing == module.NO_INPUT
        permission.close()

    async def test_without_portaudio_it_says_how_to_install_it(self, monkeypatch):
        def missing(_):
            raise DeviceError(f"PortAudio is not installed: {PORTAUDIO_REMEDY}")

        monkeypatch.setattr(module, "devices", missing)
        permission = MicrophonePermission()
        assert (permission.inputs, "apt-get" in permission.listing) == ([], True)
        permission.close()


class TestAnswer:
    @pytest.mark.parametrize(
        ("content", "state", "chosen"),
        [
            ({"kind": "allow", "input": ""}, PermissionState.GRANTED, None),
            (
                {"kind": "allow", "input": "line, WASAPI"},
                PermissionState.GRANTED,
                "line, WASAPI",
            ),
            ({"kind": "deny"}, PermissionState.DENIED, None),
            ({"kind": "listen only"}, PermissionState.LISTEN_ONLY, None),
        ],
    )
    async def test_it_is_waited_for_and_remembered(self, permission, content, state, chosen):
        waiting = asyncio.create_task(permission.asked())
        await asyncio.sleep(0)
        assert not waiting.done()
        answer(permission, **content)
        assert await waiting is state
        assert permission.access.state is state
        assert permission.access.input_device == chosen
        assert permission.state == state.value
        assert permission.chosen == (chosen or "")
        assert await permission.asked() is state  # at once

    async def test_it_may_come_on_another_thread(self, permission):
        here, told = threading.get_ident(), []
        permission.on_answer(lambda: told.append(threading.get_ident()))
        thread = threading.Thread(target=answer, args=(permission,), kwargs={"kind": "deny"})
        thread.start()
        thread.join()
        await until(lambda: told)
        assert told == [here]

    async def test_who_listens_no_more_is_not_told(self, permission):
        told = []
        stop = permission.on_answer(lambda: told.append(permission.state))
        answer(permission, kind="deny")
        await until(lambda: told)
        stop()
        answer(permission, kind="listen only")
        await until(lambda: permission.state == "listen only")
        assert told == ["denied"]

    async def test_what_was_answered_elsewhere_is_shown(self, inputs):
        permission = MicrophonePermission(MicrophoneAccess.granted("USB"))
        assert (permission.state, permission.chosen) == ("granted", "USB, ALSA")
        permission.close()

    async def test_a_problem_is_over_with_the_next_answer(self, permission):
        permission.problem = "the input device 'USB' is in use by another program"
        answer(permission, kind="allow", input="Line, MME")
        await until(lambda: permission.problem == "")


class TestLookAgain:
    async def test_a_new_device_appears(self, permission, inputs, monkeypatch):
        monkeypatch.setattr(module, "refresh", lambda: not inputs.append(inputs[0]))
        before = len(permission.inputs)
        answer(permission, kind="look again")
        await until(lambda: len(permission.inputs) == before + 1)
        await until(lambda: permission._looking is None)
        assert permission.listing == ""

    async def test_while_another_card_of_the_program_is_open_the_known_ones_stay(
        self, permission, monkeypatch
    ):
        monkeypatch.setattr(module, "refresh", lambda: False)
        before = permission.inputs
        answer(permission, kind="look again")
        await until(lambda: "is using a sound card" in permission.listing)
        assert permission.inputs == before
        await until(lambda: permission._looking is None)

    async def test_while_a_card_is_at_work_nobody_looks(self, permission, monkeypatch):
        looked = []
        monkeypatch.setattr(module, "refresh", lambda: looked.append(1))
        permission.in_use = True
        answer(permission, kind="look again")
        answer(permission, kind="deny")
        await until(lambda: permission.state == "denied")
        assert looked == []

    async def test_what_fails_is_said(self, permission, monkeypatch):
        def fails():
            raise DeviceError("PortAudio does not start again: try later")

        monkeypatch.setattr(module, "refresh", fails)
        answer(permission, kind="look again")
        await until(lambda: "does not start again" in permission.listing)
        await until(lambda: permission._looking is None)


@given(
    st.dictionaries(st.text(), st.text() | st.integers())
    | st.fixed_dictionaries(
        {"kind": st.sampled_from(["allow", "look", ""]) | st.integers()},
        optional={"input": st.text(min_size=1) | st.none() | st.integers()},
    )
    | st.text()
    | st.none()
)
def test_nonsense_allows_nothing(content):
    async def main():
        permission = MicrophonePermission()
        permission._do(content)
        state = permission.access.state
        permission.close()
        return state, permission._keys

    state, keys = asyncio.run(main())
    if state is PermissionState.GRANTED:
        assert content["input"] in keys
    elif state is not PermissionState.PROMPT:
        assert content["kind"] in ("deny", "listen only")
