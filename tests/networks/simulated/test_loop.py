"""The simulated loop: order of callbacks, shutdown, and the simulated network functions."""

import asyncio
import contextvars
import gc
import socket
import subprocess
import sys
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.topology import HostConfig
from jamlab.networks.simulated.clock import DeadlockError, VirtualClock
from jamlab.networks.simulated.loop import Handle, SimulatedLoop, run_simulated
from tests.networks.simulated.internets import internet, port


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.1 + 0.2]), max_size=60))
def test_timers_are_called_by_time_and_then_in_the_order_they_were_set(delays_s):
    async def main():
        loop, called = asyncio.get_running_loop(), []
        for number, delay_s in enumerate(delays_s):
            loop.call_at(delay_s, lambda n=number: called.append((loop.time(), n)))
        await asyncio.sleep(1)
        return called

    expected = sorted((delay_s, number) for number, delay_s in enumerate(delays_s))
    assert run_simulated(main()) == expected


def test_cancelled_timers_take_no_time():
    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(1000):
            loop.call_later(100, pytest.fail).cancel()
        await asyncio.sleep(1)
        return loop.time()

    assert run_simulated(main()) == 1.0


def test_what_a_callback_adds_waits_for_the_next_round():
    async def main():
        loop, order = asyncio.get_running_loop(), []

        def first():
            loop.call_soon(order.append, "added")

        loop.call_soon(first)
        loop.call_soon(order.append, "second")
        await asyncio.sleep(1)
        return order

    assert run_simulated(main()) == ["second", "added"]


def test_who_spins_does_not_keep_due_timers_from_their_turn():
    """Rounds that take no time follow each other, and timers set for now come in between."""

    async def main():
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        loop.call_later(0, rung.set)
        spins = 0
        while not rung.is_set():
            await asyncio.sleep(0)
            spins += 1
        return spins, loop.time()

    spins, now_s = run_simulated(main())
    assert spins < 5
    assert now_s == 0.0


def test_it_stops_though_somebody_spins():
    async def spin():
        while True:  # noqa: ASYNC110 - who spins is what is tested
            await asyncio.sleep(0)

    async def main():
        asyncio.create_task(spin())  # noqa: RUF006 - cancelled when main has ended
        await asyncio.sleep(0)
        return "done"

    assert run_simulated(main()) == "done"


def test_a_closed_loop_takes_nothing():
    loop = SimulatedLoop(VirtualClock())
    loop.close()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_at(0, print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)


def test_stopping_before_the_start_does_not_wait():
    loop = SimulatedLoop(VirtualClock())
    loop.call_later(5, print)
    loop.stop()
    loop.run_forever()
    assert loop.time() == 0.0
    loop.close()


def test_a_seed_says_all():
    async def main():
        return [asyncio.get_running_loop().random.random() for _ in range(3)]

    assert run_simulated(main(), seed=1) == run_simulated(main(), seed=1)
    assert run_simulated(main(), seed=1) != run_simulated(main(), seed=2)


def test_sets_of_tasks_have_the_same_order_in_every_run():
    async def main():
        garbage = [object() for _ in range(len(clutter) * 7)]  # moves the tasks about
        clutter.append(garbage)
        tasks = [asyncio.create_task(asyncio.sleep(n % 3), name=str(n)) for n in range(40)]
        done, _ = await asyncio.wait(tasks)
        return [task.get_name() for task in done]

    clutter = []
    assert len({tuple(run_simulated(main())) for _ in range(5)}) == 1


# The end


def test_the_result_or_the_exception_comes_out():
    async def value():
        await asyncio.sleep(1)
        return 42

    async def failure():
        raise KeyError("main failed")

    assert run_simulated(value()) == 42
    with pytest.raises(KeyError, match="main failed"):
        run_simulated(failure())


def test_what_still_runs_is_cancelled_and_waited_for():
    log = []

    async def lingering(name):
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)
            asyncio.create_task(late())  # noqa: RUF006
            log.append((name, asyncio.get_running_loop().time()))

    async def late():
        try:
            await asyncio.sleep(1000)
        finally:
            log.append("late")

    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            log.append("generator")

    async def main():
        kept.extend([asyncio.create_task(lingering(name)) for name in "ab"])
        generator = numbers()
        kept.append(generator)
        await anext(generator)
        await asyncio.sleep(1)

    kept = []
    run_simulated(main())
    assert log == [("a", 2.0), ("b", 2.0), "late", "late", "generator"]


def test_a_deadlock_while_cleaning_up_does_not_hide_the_first():
    async def stubborn():
        forever = asyncio.get_running_loop().create_future()
        try:
            await forever
        except asyncio.CancelledError:
            await asyncio.get_running_loop().create_future()

    async def main():
        await asyncio.create_task(stubborn(), name="stubborn")

    with pytest.raises(DeadlockError, match="stubborn in"):
        run_simulated(main())


def test_a_failure_while_cleaning_up_is_reported(caplog):
    async def failing():
        try:
            await asyncio.sleep(1000)
        finally:
            raise KeyError("could not clean up")

    async def main():
        tasks.append(asyncio.create_task(failing()))
        await asyncio.sleep(1)

    tasks = []
    run_simulated(main())
    assert "could not clean up" in caplog.text


def test_inside_of_another_loop_it_says_what_to_do():
    async def inner():
        raise AssertionError("not reached")

    async def outer():
        with pytest.raises(RuntimeError, match="a thread or a process of its own"):
            run_simulated(inner())

    asyncio.run(outer())
    gc.collect()  # a coroutine nobody awaited would warn here


def test_the_clock_can_be_given_and_goes_on():
    clock = VirtualClock()
    run_simulated(asyncio.sleep(1), clock=clock)
    run_simulated(asyncio.sleep(1), clock=clock)
    assert clock.time() == 2.0


# What it answers in place of the machine


def test_names_are_looked_up_on_the_simulated_internet():
    async def main():
        net = internet(HostConfig("stun"), HostConfig("alice"))
        loop, address = asyncio.get_running_loop(), net.host("stun").addresses[0]
        with net.host("alice"):
            by_name = await loop.run_in_executor(None, socket.gethostbyname, "stun.jamlab.test")
            infos = await loop.getaddrinfo("stun", 3478)
            with pytest.raises(socket.gaierror, match="no host 'turn'"):
                await loop.run_in_executor(None, socket.gethostbyname, "turn")
        assert by_name == address
        assert [info[4] for info in infos] == [(address, 3478)]

    run_simulated(main())


def test_an_executor_calls_at_once():
    async def main():
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(None, divmod, 7, 2)
        assert future.done()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 7, 0)
        return await future, await asyncio.to_thread(max, 1, 2)

    assert run_simulated(main()) == ((3, 1), 2)


def test_what_it_cannot_do_it_refuses():
    async def main():
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError, match="inside `with host:`"):
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol)
        with internet(HostConfig("alice")).host("alice"):
            with pytest.raises(OSError, match="no TLS"):
                await loop.create_connection(asyncio.Protocol, "alice", 443, ssl=True)
            with pytest.raises(ValueError, match="a host and a port"):
                await loop.create_connection(asyncio.Protocol)
            with pytest.raises(TypeError):
                await loop.create_datagram_endpoint(asyncio.DatagramProtocol, sock=object())

    run_simulated(main())


def test_a_connected_port_looks_its_name_up():
    async def main():
        net = internet(HostConfig("stun"), HostConfig("alice"))
        there = await port(net.host("stun"), 3478)
        here = await port(net.host("alice"), remote=("stun.jamlab.test", 3478))
        here.send(b"hello", None)
        await asyncio.sleep(1)
        assert there.received == [(b"hello", here.address)]

    run_simulated(main())


_DEBUGGED = """
import asyncio
from tests.networks.simulated.internets import internet, port, echo
from jamlab.networks.model.topology import HostConfig
from jamlab.networks.simulated.loop import run_simulated

async def main():
    assert asyncio.get_running_loop().get_debug()
    net = internet(HostConfig("a"), HostConfig("b"))
    there, here = await port(net.host("a"), answer=echo), await port(net.host("b"))
    here.send(b"x", there.address)
    await asyncio.sleep(1)
    assert here.received == [(b"x", there.address)]

run_simulated(main())
print("done")
"""


def test_it_works_in_asyncios_debug_mode():
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", _DEBUGGED],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("done\n", "")


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
