"""Signals during code that must not be interrupted."""

import asyncio
import signal
import threading
from contextlib import contextmanager

import pytest

from jamlab.process.signals import (
    ENDING,
    instead_of_ctrl_c,
    on_signals,
    postponed,
    run_until_sigterm,
    sigterm_unwinds,
)


@pytest.fixture(autouse=True)
def handlers_are_put_back():
    numbers = (signal.SIGINT, *ENDING)
    before = [signal.getsignal(number) for number in numbers]
    yield
    assert before == [signal.getsignal(number) for number in numbers]


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


def test_sigterm_and_a_closed_terminal_are_all_that_end():
    assert {*ENDING} == {signal.SIGTERM, signal.SIGHUP}


@pytest.mark.parametrize("number", ENDING)
def test_sigterm_leaves_the_block(number):
    done = []
    with pytest.raises(SystemExit) as stopped, sigterm_unwinds():
        interrupted(number, done)
    assert stopped.value.code == 128 + number
    assert not done


@pytest.mark.parametrize("number", ENDING)
def test_a_second_sigterm_does_not_cut_off_the_clean_up(number):
    cleaned = []
    with pytest.raises(SystemExit), sigterm_unwinds(), twice_stopped(cleaned):
        interrupted(number, None)
    assert cleaned


def test_under_nohup_a_closed_terminal_ends_nothing():
    done = []
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with sigterm_unwinds(), postponed():
            interrupted(signal.SIGHUP, done)
        assert run_until_sigterm(ignoring(done)) == 3
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done == [True, True]


async def ignoring(done):
    interrupted(signal.SIGHUP, done)
    with on_signals(ENDING, lambda: done.append("called")):
        signal.raise_signal(signal.SIGHUP)
        await asyncio.sleep(0)
    return 3


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
async def test_a_function_of_the_loop_is_called(number):
    stopped = asyncio.Event()
    with on_signals((signal.SIGINT, *ENDING), stopped.set):
        signal.raise_signal(number)
        await stopped.wait()


@contextmanager
def twice_stopped(cleaned):
    try:
        yield
    finally:
        for number in ENDING:
            interrupted(number, cleaned)


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


@pytest.mark.parametrize("number", ENDING)
def test_sigterm_cancels_a_coroutine_which_cleans_up_first(number):
    done = []

    async def work():
        helper = asyncio.create_task(asyncio.sleep(0.01))
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            await helper  # a task of the clean-up is not cancelled
            done.append(True)

    with pytest.raises(SystemExit) as stopped, sigterm_unwinds():
        run_until_sigterm(work())
    assert stopped.value.code == 128 + number
    assert done


def test_a_coroutine_that_is_not_told_to_end_returns_its_value():
    async def work():
        return 3

    async def cancelled():
        raise asyncio.CancelledError

    assert run_until_sigterm(work()) == 3
    with pytest.raises(asyncio.CancelledError):
        run_until_sigterm(cancelled())


def test_ctrl_c_calls_a_function_instead():
    came = []
    with instead_of_ctrl_c(lambda: came.append(True)):
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)
    assert came == [True, True]
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with instead_of_ctrl_c(lambda: pytest.fail("called")):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
