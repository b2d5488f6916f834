"""Pipes: bytes as they come, an end by Ctrl-C, and what a signal raises."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from jamlab.measure.recording.pipe import Pipe, is_pipe, opened_pipe


@pytest.fixture
def ends():
    reading, writing = os.pipe()
    yield reading, writing
    for each in (reading, writing):
        os.close(each)


def test_bytes_are_given_as_they_come(ends):
    pipe = Pipe(ends[0])
    assert pipe.is_empty
    os.write(ends[1], b"abc")
    assert pipe.read(100) == b"abc"
    assert not pipe.is_empty
    os.write(ends[1], b"defg")
    assert [pipe.read(3), pipe.read(3)] == [b"def", b"g"]


def test_it_can_be_ended_while_it_waits(ends):
    pipe = Pipe(ends[0])
    threading.Timer(0.1, pipe.end).start()
    assert pipe.read(100) == b""
    os.write(ends[1], b"late")
    assert pipe.read(100) == b""


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_what_a_signal_raises_ends_it_and_is_kept(ends, raised):
    """A decoder in C would lose it."""

    def handler(*_):
        raise raised

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        pipe = Pipe(ends[0])
        pipe.raise_interruption()
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert pipe.read(100) == b""
    finally:
        signal.signal(signal.SIGUSR1, before)
    with pytest.raises(raised):
        pipe.raise_interruption()


def test_what_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    assert is_pipe(Path("-"))
    assert is_pipe(tmp_path / "fifo")
    assert not any(map(is_pipe, (tmp_path / "file", tmp_path, tmp_path / "gone", Path("a\0b"))))


def test_a_fifo_and_standard_input_are_opened(tmp_path, ends, monkeypatch):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(b"abc",))
    writer.start()
    with opened_pipe(fifo) as pipe:
        assert pipe.read(100) == b"abc"
        writer.join()
        assert pipe.read(100) == b""
    os.write(ends[1], b"xyz")
    with os.fdopen(os.dup(ends[0])) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        with opened_pipe(Path("-")) as pipe:
            assert pipe.read(100) == b"xyz"


def test_a_terminal_is_none(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OSError, match="a terminal or closed"), opened_pipe(Path("-")):
        pass
