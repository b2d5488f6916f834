"""The child's side in this process, with pipes in place of standard input and output."""

import os
import sys
import threading
from contextlib import suppress

import pytest

from jamlab.process.parent import ending_with_parent, receive, send

from .parents import lines_of, parent


def test_messages_are_received_in_their_order_until_there_are_no_more():
    with parent({"a": 1}, [2], None) as leave:
        assert [receive(), receive(), receive()] == [{"a": 1}, [2], None]
        leave()
        assert receive() is None


def test_all_is_done_when_the_context_ends(capsys):
    threads = threading.active_count()
    with parent(), ending_with_parent():
        send({"half": 0.5})
    assert lines_of(capsys) == [{"half": 0.5}, None]
    assert threading.active_count() == threads


def test_after_an_error_nothing_is_said_to_be_done(capsys):
    with parent(), pytest.raises(ZeroDivisionError), ending_with_parent():
        raise ZeroDivisionError
    assert lines_of(capsys) == []


def test_a_parent_that_is_gone_ends_the_process(monkeypatch):
    """Also while it does not read, and with something left to read."""
    ended = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda status: status == 1 and ended.set())
    with parent([1]) as leave, ending_with_parent():
        assert not ended.is_set()
        leave()
        assert ended.wait(30)


def test_a_parent_that_is_gone_misses_nothing(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    stdout = os.fdopen(writing, "w")
    monkeypatch.setattr(sys, "stdout", stdout)
    send({"too": "late"})
    monkeypatch.undo()
    with suppress(BrokenPipeError):
        stdout.close()
