"""Scheduling of this thread and of its child processes, read from /proc."""

import os
import subprocess
import sys
import threading

import pytest

from jamlab.process.real_time import PRIORITY, RealTime

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked: run it there")

REALTIME, USUAL = 1, 0  # sched(7)


def policy_of_this_thread():
    """Read the class off the kernel's own account (proc(5), fields 40 and 41 of *stat*)."""
    with open(f"/proc/self/task/{threading.get_native_id()}/stat") as stat:  # noqa: PTH123
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[38]), int(fields[37])


@pytest.fixture(name="realtime")
def make_realtime():
    realtime = RealTime()
    if not realtime.ask():
        pytest.skip("this user may not have real-time priority: run the tests as root")
    yield realtime
    realtime.give_back()


@on_linux
class TestAllowed:
    def test_the_kernel_says_so_and_then_no_more(self, realtime):
        assert policy_of_this_thread() == (REALTIME, PRIORITY)
        realtime.give_back()
        assert policy_of_this_thread() == (USUAL, 0)

    def test_another_priority_is_what_the_kernel_says(self):
        other = RealTime(PRIORITY + 1)
        if not other.ask():
            pytest.skip("this user may not have real-time priority: run the tests as root")
        assert policy_of_this_thread() == (REALTIME, PRIORITY + 1)
        other.give_back()
        assert policy_of_this_thread() == (USUAL, 0)

    def test_giving_back_twice_is_harmless(self, realtime):
        realtime.give_back()
        realtime.give_back()
        assert policy_of_this_thread() == (USUAL, 0)

    def test_two_cards_share_it(self, realtime):
        other = RealTime()
        assert other.ask()
        assert other.ask()
        realtime.give_back()
        assert policy_of_this_thread() == (REALTIME, PRIORITY)
        other.give_back()
        assert policy_of_this_thread() == (USUAL, 0)

    def test_no_other_thread_has_it(self, realtime):
        found = []
        other = threading.Thread(target=lambda: found.append(policy_of_this_thread()))
        other.start()
        other.join()
        assert found == [(USUAL, 0)]

    def test_no_process_started_meanwhile_has_it(self, realtime):
        command = [sys.executable, "-c", "import os; print(os.sched_getscheduler(0))"]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert int(told) == USUAL

    def test_it_is_below_jacks_clients(self):
        assert PRIORITY < 5  # jackd's default is 10, its clients' 5 less


def test_a_system_that_forbids_it_is_left_alone(monkeypatch):
    def forbid(*_):
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "sched_setscheduler", forbid, raising=False)
    realtime = RealTime()
    assert not realtime.ask()
    realtime.give_back()


def test_other_systems_are_not_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(os, "sched_setscheduler", raising=False)
    realtime = RealTime()
    assert not realtime.ask()
    realtime.give_back()
