"""Calls between ends that are scripted, in virtual time."""

import asyncio
import math

import pytest

from jamlab.measure.connectivity_on_kernel.trickled_call import SETTLE_S, TrickledCall, call_between
from jamlab.networks.simulated.loop import run_simulated

DEADLINE_S = 20.0
DIRECT, RELAYED = ("host", "srflx"), ("relay", "relay")


class Scripted:
    """An end that connects, or fails, at a time, and has a pair from each time on.

    Times are since its first step.
    """

    def __init__(self, after_s, pairs, candidates=(), connected=True):
        self._after_s, self._pairs, self._connected = after_s, pairs, connected
        self._candidates, self._began_s = [*candidates], None
        self.steps, self.added = [], []

    async def call(self, step, argument=None):
        now_s = asyncio.get_running_loop().time()
        self._began_s = now_s if self._began_s is None else self._began_s
        self.steps.append(step)
        match step:
            case "ended":
                await asyncio.sleep(self._after_s)
                return self._connected
            case "types":
                return [pair for at_s, pair in self._pairs if at_s <= now_s - self._began_s][-1]
            case "add":
                self.added.append(argument)
            case _:
                return {"type": step, "sdp": ""}

    async def candidate(self):
        if self._candidates:
            return self._candidates.pop(0)
        return await asyncio.get_running_loop().create_future()


def called(caller, callee, *, may_change=True):
    return run_simulated(call_between(caller, callee, may_change=may_change, deadline_s=DEADLINE_S))


def both(after_s, pairs, **others):
    return Scripted(after_s, pairs, **others), Scripted(after_s, pairs, **others)


def test_the_later_end_decides_when_a_call_is_connected():
    pairs = [(0, DIRECT)]
    call = called(Scripted(0.25, pairs), Scripted(0.5, pairs))
    assert call == TrickledCall("direct", "host", "host", pytest.approx(0.5))


def test_a_relay_that_becomes_direct_is_direct():
    call = called(*both(0.5, [(0, RELAYED), (0.5 + 0.9 * SETTLE_S, DIRECT)]))
    assert (call.result, call.time_to_connect_s) == ("direct", pytest.approx(0.5))


def test_a_relay_that_stays_is_relayed():
    call = called(*both(0.5, [(0, RELAYED), (0.5 + 1.5 * SETTLE_S, DIRECT)]))
    assert call == TrickledCall("relayed", "relay", "relay", pytest.approx(0.5))


def test_nobody_waits_for_a_change_that_cannot_come():
    caller, callee = both(0.5, [(0, RELAYED), (0.6, DIRECT)])
    assert called(caller, callee, may_change=False).result == "relayed"
    assert caller.steps.count("types") == 1


@pytest.mark.parametrize(("after_s", "connected"), [(1.0, False), (DEADLINE_S + 1, True)])
def test_an_end_that_fails_or_is_too_late_fails_the_call(after_s, connected):
    pairs = [(0, DIRECT)]
    call = called(Scripted(0.5, pairs), Scripted(after_s, pairs, connected=connected))
    assert (call.result, call.caller_candidate) == ("failed", "")
    assert math.isnan(call.time_to_connect_s)


def test_candidates_go_to_the_other_end_in_order():
    first, second = {"candidate": "1"}, {"candidate": "2"}
    caller = Scripted(0.5, [(0, DIRECT)], [first, second, None])
    callee = Scripted(0.5, [(0, DIRECT)])
    called(caller, callee)
    assert callee.added == [first, second, None]
    assert caller.added == []
    assert caller.steps[:2] == ["offer", "accept"]
    assert callee.steps[0] == "answer"
