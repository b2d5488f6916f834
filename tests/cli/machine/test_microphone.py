"""The microphone question: at a pseudo-terminal, with answers of any text."""

import io
import os
import pty
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.prompt import InvalidResponse

from jamlab.audio.permission import MicrophoneAccess, PermissionState
from jamlab.audio.portaudio import Device, DeviceError
from jamlab.cli.machine import microphone
from jamlab.cli.machine.microphone import (
    ANSWERS,
    OR_NOTHING,
    AnswerPrompt,
    InputPrompt,
    MicrophoneError,
)
from tests.audio.jack import jack, needs_jack

INPUTS = [
    Device(2, "the [red]USB[/] one", "input", 1, "ALSA"),
    Device(5, "Line", "input", 2, "ALSA"),
]


class Terminal(io.StringIO):
    """Standard input where somebody types."""

    def isatty(self):
        return True


@pytest.fixture(name="typed")
def make_typed(monkeypatch):
    """Type lines; returns the answer and what was shown."""

    def typed(*lines, inputs=INPUTS, wanted=None, answers=ANSWERS):
        shown = io.StringIO()
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr(microphone, "devices", lambda _: inputs)
        monkeypatch.setattr(microphone, "device_named", lambda *_: inputs[-1])
        monkeypatch.setattr(microphone, "Console", lambda **_: Console(file=shown, width=100))
        return microphone.microphone_access(None, wanted, answers), shown.getvalue()

    return typed


class TestQuestion:
    def test_it_says_what_for_which_machine_and_which_devices(self, typed):
        _, shown = typed("deny")
        assert "Microphone access is required for jamming." in shown
        assert socket.gethostname() in shown
        assert "1  the [red]USB[/] one  1         ALSA" in shown
        assert "Allow, deny or listen only? [allow/deny/listen-only] " in shown

    @pytest.mark.parametrize(
        ("line", "state"),
        [
            ("deny", PermissionState.DENIED),
            ("D", PermissionState.DENIED),
            (" Listen Only ", PermissionState.LISTEN_ONLY),
            ("listen_only", PermissionState.LISTEN_ONLY),
            ("l", PermissionState.LISTEN_ONLY),
        ],
    )
    def test_an_answer_or_its_beginning_is_taken(self, typed, line, state):
        access, shown = typed(line)
        assert access.state is state
        assert access.input_device is None
        assert "Which input?" not in shown

    def test_what_makes_no_sense_is_not_offered(self, typed):
        access, shown = typed("listen only", "l", "deny", answers=OR_NOTHING)
        assert access.state is PermissionState.DENIED
        assert "Allow or deny? [allow/deny] " in shown
        assert shown.count("Type one of allow, deny, or its beginning.") == 2

    def test_who_allows_chooses_among_several(self, typed):
        access, shown = typed("allow", "7", "nothing", "1")
        assert access.state is PermissionState.GRANTED
        assert access.input_device == "the [red]USB[/] one, ALSA"  # its number may shift
        assert shown.count("Type one of 1, 2.") == 2

    def test_the_systems_default_is_taken_by_enter(self, typed):
        assert typed("a", "")[0].input_device == "Line, ALSA"

    def test_one_that_was_named_or_is_the_only_one_is_not_asked_for(self, typed):
        assert typed("allow", wanted="USB")[0].input_device is None
        assert typed("allow", inputs=INPUTS[:1])[0].input_device is None

    def test_it_is_asked_again_until_it_is_understood(self, typed):
        access, shown = typed("", "perhaps", "42", "allow deny", "deny")
        assert access.state is PermissionState.DENIED
        assert shown.count("Type one of allow, deny, listen-only, or its beginning.") == 4

    def test_without_any_input_it_is_asked_all_the_same(self, typed):
        access, shown = typed("allow", inputs=[])
        assert "There is no input device now: plug one in." in shown
        assert access.state is PermissionState.GRANTED

    def test_why_there_is_none_is_said(self, typed, monkeypatch):
        def missing(_):
            raise DeviceError("PortAudio is not installed: apt-get install libportaudio2")

        monkeypatch.setattr("sys.stdin", Terminal("l\n"))
        monkeypatch.setattr(microphone, "devices", missing)
        shown = io.StringIO()
        monkeypatch.setattr(microphone, "Console", lambda **_: Console(file=shown, width=100))
        assert microphone.microphone_access(None, None).state is PermissionState.LISTEN_ONLY
        assert "apt-get install libportaudio2." in shown.getvalue()

    def test_no_answer_is_one_sentence(self, typed):
        with pytest.raises(MicrophoneError, match="no answer came: give --microphone allow, deny"):
            typed("perhaps")


class TestBeforehand:
    @pytest.mark.parametrize("answer", ANSWERS)
    def test_nobody_is_asked(self, answer, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO())
        expected = MicrophoneAccess()
        ANSWERS[answer](expected)
        assert microphone.microphone_access(answer, None).state is expected.state

    def test_without_a_terminal_it_has_to_be_said(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO("allow\n"))
        with pytest.raises(MicrophoneError, match="no terminal to ask at: give --microphone allow"):
            microphone.microphone_access(None, None)


@given(st.text())
def test_whatever_is_typed_is_an_answer_or_asked_again(text):
    try:
        answer = AnswerPrompt("?", choices=[*ANSWERS]).process_response(text)
    except InvalidResponse:
        return
    assert answer.startswith(text.strip().casefold().replace(" ", "-").replace("_", "-"))


@given(st.text() | st.integers().map(str), st.lists(st.integers(0, 99), min_size=1))
def test_whatever_is_typed_is_an_input_or_asked_again(text, known):
    prompt = InputPrompt("?")
    prompt.known = known
    try:
        assert prompt.process_response(text) in known
    except InvalidResponse:
        assert text.strip() not in map(str, known)


class TypedAt:
    """A command at a pseudo-terminal."""

    def __init__(self, env, *command):
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jamlab", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**env, "TERM": "dumb", "COLUMNS": "100"},
            start_new_session=True,
        )
        os.close(theirs)

    def until(self, words):
        """Read until these words are shown."""
        while words not in self.shown:
            self.shown += os.read(self._ours, 4096).decode()

    def type(self, line):
        os.write(self._ours, f"{line}\n".encode())

    def interrupt(self):
        self._process.send_signal(signal.SIGINT)

    def end(self):
        """Wait for the end; returns the exit status."""
        while True:
            try:
                read = os.read(self._ours, 4096)
            except OSError:  # Linux says so when the last one has closed its end
                break
            if not read:
                break
            self.shown += read.decode()
        return self._process.wait(60)

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


@contextmanager
def at_a_terminal(*command, **env):
    terminal = TypedAt({**os.environ, **env}, *command)
    try:
        yield terminal
    finally:
        terminal.close()


class TestAtATerminal:
    @pytest.mark.slow
    def test_denied_there_is_nothing_to_measure(self):
        with at_a_terminal("latency", "--device", JACK_NO_START_SERVER="1") as terminal:
            terminal.until("[allow/deny]")
            terminal.type("what?")
            terminal.until("or its beginning")
            terminal.type("deny")
            assert terminal.end() == 2
        assert socket.gethostname() in terminal.shown
        assert "the measurement needs an input" in terminal.shown
        assert "Traceback" not in terminal.shown

    @pytest.mark.slow
    def test_who_ends_the_line_has_not_answered(self):
        with at_a_terminal("join", "room", "--sound-card", JACK_NO_START_SERVER="1") as terminal:
            terminal.until("[allow/deny/listen-only]")
            os.write(terminal._ours, b"\x04")
            assert terminal.end() == 2
        assert "no answer came: give --microphone" in terminal.shown

    @pytest.mark.slow
    @needs_jack
    def test_allowed_a_real_card_is_measured(self):
        with jack(128) as server:
            jacks = {name: server.env[name] for name in server.env if name.startswith("JACK")}
            command = "latency", "--device", "--block-frames", "128", "--clicks", "20"
            with at_a_terminal(*command, **jacks) as terminal:
                terminal.until("[allow/deny]")
                assert "system" in terminal.shown
                terminal.type("allow")
                server.connect(server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0"))
                assert terminal.end() == 0
            assert "128.0 frames" in terminal.shown

    @pytest.mark.slow
    @needs_jack
    def test_interrupted_it_ends_even_where_the_card_has_gone(self):
        with jack(128) as server:
            jacks = {name: server.env[name] for name in server.env if name.startswith("JACK")}
            command = "latency", "--device", "--microphone", "allow", "--block-frames", "128"
            with at_a_terminal(*command, **jacks) as terminal:
                server.port("PortAudio", "out_0")
                server.end()  # PortAudio never comes back from closing the stream
                terminal.interrupt()
                assert terminal.end() == 2
            assert "interrupted before" in terminal.shown
            assert "Traceback" not in terminal.shown
