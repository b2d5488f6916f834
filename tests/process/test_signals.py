"""Signals during code that must not be interrupted."""

import asyncio
import signal
import threading
from contextlib import contextmanager

import pytest

from jamlab.process.signals import postponed, run_until_sigterm, sigterm_unwinds


@pytest.fixture(autouse=True)
def handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def interrupted(number, done):
    """Go on after a signal, if it allows that; without a list this fails."""
    signal.raise_signal(number)
    done.append(True)


def test_ctrl_c_comes_when_the_block_is_over():
    done = []
    with pytest.raises(KeyboardInterrupt), postponed():
        interrupted(signal.SIGINT, done)
    assert done


def test_ctrl_c_also_comes_when_the_block_fails():
    with pytest.raises(KeyboardInterrupt), postponed():
        interrupted(signal.SIGINT, None)


def test_nothing_comes_of_nothing():
    with pytest.raises(ValueError, match="of the block"), postponed():
        raise ValueError("of the block")
    with postponed(), postponed():
        pass


def test_sigterm_leaves_the_block():
    done = []
    with pytest.raises(SystemExit) as stopped, sigterm_unwinds():
        interrupted(signal.SIGTERM, done)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert not done


def test_a_second_sigterm_does_not_cut_off_the_clean_up():
    cleaned = []
    with pytest.raises(SystemExit), sigterm_unwinds(), twice_stopped(cleaned):
        interrupted(signal.SIGTERM, None)
    assert cleaned


@contextmanager
def twice_stopped(cleaned):
    try:
        yield
    finally:
        interrupted(signal.SIGTERM, cleaned)


def test_a_program_that_handles_sigterm_is_let_alone():
    came = []
    before = signal.signal(signal.SIGTERM, lambda *_: came.append(True))
    try:
        with sigterm_unwinds():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came


def test_sigterm_waits_too():
    done = []
    with pytest.raises(SystemExit), sigterm_unwinds(), postponed():
        interrupted(signal.SIGTERM, done)
    assert done


def test_other_threads_are_not_interrupted_and_change_nothing():
    seen = []

    def work():
        with sigterm_unwinds(), postponed():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


def test_sigterm_cancels_a_coroutine_which_cleans_up_first():
    done = []

    async def work():
        helper = asyncio.create_task(asyncio.sleep(0.01))
        try:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            await helper  # a task of the clean-up is not cancelled
            done.append(True)

    with pytest.raises(SystemExit) as stopped, sigterm_unwinds():
        run_until_sigterm(work())
    assert stopped.value.code == 128 + signal.SIGTERM
    assert done


def test_a_coroutine_that_is_not_told_to_end_returns_its_value():
    async def work():
        return 3

    async def cancelled():
        raise asyncio.CancelledError

    assert run_until_sigterm(work()) == 3
    with pytest.raises(asyncio.CancelledError):
        run_until_sigterm(cancelled())
