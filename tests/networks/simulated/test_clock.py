"""Both clocks under a simulated loop."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from jamlab.networks.model.topology import HostConfig
from jamlab.networks.simulated.clock import DeadlockError, RealClock, VirtualClock
from jamlab.networks.simulated.loop import run_simulated
from tests.networks.simulated.internets import delay, internet, port


def test_waiting_takes_exactly_as_long_as_asked_for():
    clock = VirtualClock()
    clock.wait(3600.0 * 24 * 365)
    assert clock.time() == 3600.0 * 24 * 365


def test_virtual_time_never_goes_back():
    clock = VirtualClock()
    clock.wait(2.0)
    clock.wait(1.0)
    assert clock.time() == 2.0


def test_a_timer_of_a_year_is_exact():
    async def main():
        await asyncio.sleep(31_536_000.1)
        return asyncio.get_running_loop().time()

    assert run_simulated(main()) == 31_536_000.1


def test_a_deadlock_names_every_task_and_where_it_waits():
    async def stuck(event):
        await event.wait()  # the place

    async def outer(event):
        await stuck(event)

    async def main():
        never = asyncio.get_running_loop().create_future()
        waiting = [asyncio.create_task(outer(asyncio.Event()), name=name) for name in "ab"]
        await asyncio.sleep(1)
        done = asyncio.create_task(asyncio.sleep(0), name="finished")
        await done
        await never
        return waiting

    with pytest.raises(DeadlockError) as error:
        run_simulated(main())
    message = str(error.value)
    assert re.search(r"\ba in Event\.wait \(line \d+ of .*locks\.py\)", message)
    assert re.search(r"\bb in Event\.wait ", message)
    assert re.search(rf"main \(line \d+ of {re.escape(__file__)}\)", message)
    assert "finished" not in message


def test_a_task_that_never_began_has_a_place_too():
    async def main():
        task = asyncio.current_task()
        task.set_name("main")
        await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match=r"main in .*main \(line \d+"):
        run_simulated(main())


async def _ping_pong():
    net = internet(HostConfig("a", delay(0.02)), HostConfig("b", delay(0.03)))
    near, far = await port(net.host("a")), await port(net.host("b"), answer=lambda data: data)
    begun_s = asyncio.get_running_loop().time()
    near.send(b"ping", far.address)
    await asyncio.sleep(0.3)  # by the loop's clock, three times what the analysis says
    return near.times_s[0] - begun_s, near.received


def test_the_same_network_lives_in_real_time():
    virtual_s, received = run_simulated(_ping_pong())
    begun_s = time.monotonic()
    real_s, really_received = run_simulated(_ping_pong(), clock=RealClock())
    assert virtual_s == pytest.approx(0.1)
    assert real_s >= 0.1
    assert time.monotonic() - begun_s >= 0.1
    assert really_received == received


def test_a_thread_wakes_a_loop_in_real_time():
    async def main():
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        thread = threading.Thread(
            target=lambda: loop.call_soon_threadsafe(told.set_result, "woken"), daemon=True
        )
        loop.call_soon(thread.start)
        result = await told  # with no timer there is nothing else to wake it
        thread.join()
        return result

    assert run_simulated(main(), clock=RealClock()) == "woken"


def test_being_woken_before_the_wait_counts():
    clock = RealClock()
    clock.wake()
    clock.wait(None)  # or this would never return
    clock.wait(clock.time() - 1)


def test_a_real_clock_does_not_wake_early():
    clock = RealClock()
    until_s = clock.time() + 0.01
    clock.wait(until_s)
    assert clock.time() >= until_s


_INTERRUPTED = """
import asyncio, signal
from jamlab.networks.simulated.clock import RealClock
from jamlab.networks.simulated.loop import run_simulated

async def main():
    try:
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()
    finally:
        print("cleaned up", flush=True)

try:
    run_simulated(main(), clock=RealClock())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process")
def test_ctrl_c_ends_a_wait_without_end():
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", _INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (out, err) == ("cleaned up\ninterrupted\n", "")
