"""Handles against asyncio's own: the same calls, the same contexts, the same silence."""

import asyncio
import contextvars
import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.handle import Handle
from jamlab.networks.loop import run_simulated

who = contextvars.ContextVar("who", default="nobody")


class Loop:
    """As much of a loop as a handle of either kind asks."""

    def __init__(self):
        self.reported = []

    def get_debug(self):
        return False

    def _timer_handle_cancelled(self, handle):
        pass

    def call_exception_handler(self, context):
        self.reported.append(context)


def both(when, callback, args, context=None):
    """Return our handle and asyncio's of the same callback."""
    return [kind(when, callback, args, Loop(), context) for kind in (Handle, asyncio.TimerHandle)]


@given(st.floats(0, 1e9), st.lists(st.integers(), max_size=4))
def test_it_calls_with_its_arguments_and_knows_its_time(when, args):
    called = []
    for one in both(when, lambda *got: called.append(got), tuple(args)):
        assert one.when() == when
        one._run()
    assert called == [tuple(args)] * 2


@pytest.mark.parametrize("given_context", [True, False])
def test_it_runs_in_the_context_it_was_given_or_made_in(given_context):
    who.set("maker")
    context = contextvars.copy_context() if given_context else None
    seen = []
    handles = both(0.0, lambda: seen.append(who.get()), (), context)
    who.set("runner")
    for one in handles:
        one._run()
    assert seen == ["maker", "maker"]


def test_cancelled_it_lets_go_what_it_would_have_called():
    class Held:
        pass

    held = Held()
    gone = weakref.ref(held)
    handles = both(1.0, id, (held,))
    for one in handles:
        one.cancel()
        one.cancel()
        assert one.cancelled()
    del held
    gc.collect()
    assert gone() is None


def test_what_a_callback_raises_is_reported_with_the_handle():
    for one in both(0.0, int, ("no number",)):
        one._run()
        [context] = one._loop.reported
        assert isinstance(context["exception"], ValueError)
        assert context["handle"] is one


def test_it_can_be_shown():
    for one in both(1.5, print, ()):
        assert "when=1.5" in repr(one)
        one.cancel()
        assert "cancelled" in repr(one)


def test_a_loop_hands_out_handles_that_can_be_cancelled():
    async def main():
        loop, called = asyncio.get_running_loop(), []
        kept = [loop.call_soon(called.append, "soon"), loop.call_later(1, called.append, "later")]
        lost = [loop.call_soon(called.append, 1), loop.call_at(1, called.append, 2)]
        for handle in lost:
            handle.cancel()
        await asyncio.sleep(2)
        assert [handle.cancelled() for handle in kept + lost] == [False, False, True, True]
        return called

    assert run_simulated(main()) == ["soon", "later"]
