"""Attempts whose ends are in other processes: on loopback, and with a faulty process."""

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import warnings
from functools import partial

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.connectivity.attempt import attempt, attempt_between
from jamlab.measure.connectivity.ends import AttemptError, Log
from jamlab.measure.connectivity_on_kernel import end_process
from jamlab.measure.connectivity_on_kernel.end_messages import line
from jamlab.measure.connectivity_on_kernel.end_server import EndServer
from jamlab.measure.connectivity_on_kernel.remote_end import RemoteEnd
from jamlab.measure.connectivity_on_kernel.session_end import SESSION
from jamlab.networks.kernel.listening import free_ports
from jamlab.process.child import ChildError
from tests.examples import examples

HOST_ONLY = IceConfiguration("host only")
NO_RELAY = IceConfiguration(
    "relay only", (IceServer("turn:127.0.0.1:9?transport=tcp", "jam", "jam"),), "relay"
)


@pytest.fixture(scope="module")
def server():
    with EndServer() as server:
        yield server


async def ends(server, level="ice", configuration=HOST_ONLY):
    log = Log()
    sides = ("caller", "callee")
    opened = [await server.open(side, configuration, level, log) for side in sides]
    return *opened, log


def processes(server):
    """Return the processes of ends there are."""
    return psutil.Process(server._server.pid).children()


async def nobody_left(server):
    """Wait until the server has no children, not even dead ones."""
    await asyncio.to_thread(psutil.wait_procs, processes(server))
    assert not processes(server)


async def tried(server, level, configuration=HOST_ONLY):
    caller, callee, log = await ends(server, level, configuration)
    try:
        return await attempt_between(
            caller, callee, configuration=configuration, log=log, signalling_s=0, deadline_s=30
        )
    finally:
        await caller.close()
        await callee.close()


def sequence(attempt, side, kind):
    return [state for _, *who, state in json.loads(attempt.states) if who == [side, kind]]


class TestSameAsHere:
    @pytest.mark.parametrize("level", ["ice", "dtls"])
    async def test_a_success(self, server, level):
        remote = await tried(server, level)
        local = await attempt(HOST_ONLY, level=level, signalling_s=0)
        assert remote.to_dict().keys() == local.to_dict().keys()
        for field in ("result", "stage", "relay_transport"):
            assert getattr(remote, field) == getattr(local, field)
        for side in ("caller", "callee"):
            for kind in ("ice", "connection"):
                assert sequence(remote, side, kind) == sequence(local, side, kind)
        assert 0 < remote.time_to_connect_s == remote.observed_s

    @pytest.mark.parametrize("level", ["ice", "dtls"])
    async def test_nothing_gathered(self, server, level):
        remote = await tried(server, level, NO_RELAY)
        local = await attempt(NO_RELAY, level=level, signalling_s=0)
        assert (remote.result, remote.stage) == (local.result, local.stage)
        assert remote.stage == "gathering"

    async def test_times_are_of_the_clock_of_this_process(self, server):
        """Both processes read CLOCK_MONOTONIC, so no state lies outside of the attempt."""
        remote = await tried(server, "ice")
        times_s = [entry[0] for entry in json.loads(remote.states)]
        assert times_s == sorted(times_s)
        assert 0 <= times_s[0] <= times_s[-1] <= remote.observed_s

    async def test_many_at_once(self, server):
        results = await asyncio.gather(*(tried(server, "ice") for _ in range(8)))
        assert {one.result for one in results} == {"direct"}
        await nobody_left(server)


class TestPorts:
    async def test_are_those_it_was_given(self, server):
        ports = free_ports(["0.0.0.0"], 16)
        end = await server.open("caller", HOST_ONLY, "ice", Log(), ports=ports)
        candidates, *_ = await end.offer()
        await end.close()
        assert [candidate.port for candidate in candidates] == ports[: len(candidates)] != []


class TestEndings:
    async def test_no_process_is_left(self, server):
        await tried(server, "dtls")
        await nobody_left(server)

    async def test_killed_in_the_middle(self, server):
        caller, callee, _ = await ends(server)
        await callee.answer(await caller.offer())  # the callee checks on, nobody answers
        waiting = callee.connecting()
        for process in processes(server):
            process.kill()
        with pytest.raises(ChildError, match=r"callee's end .*ended in the middle"):
            await waiting
        with pytest.raises(ChildError, match="callee's end"):
            await callee.pair_count()
        await caller.close()
        await callee.close()
        await nobody_left(server)

    async def test_cancelled_in_the_middle(self, server):
        caller, callee, log = await ends(server)
        checking = asyncio.Event()
        log.add = lambda _time, _side, _kind, state: state == "checking" and checking.set()
        trying = asyncio.create_task(
            attempt_between(
                caller,
                callee,
                configuration=HOST_ONLY,
                log=log,
                signalling_s=3600,
                deadline_s=3600,
            )
        )
        await callee.answer(await caller.offer())
        await checking.wait()
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
        await caller.close()
        await callee.close()
        await nobody_left(server)

    async def test_closing_is_cancelled(self, server):
        """Whatever becomes of who closes it, a process ends."""
        caller, callee, _ = await ends(server)
        closing = [asyncio.create_task(end.close()) for end in (caller, callee)]
        await asyncio.sleep(0)
        for task in closing:
            task.cancel()
        await asyncio.wait(closing)
        await nobody_left(server)

    def test_a_loop_that_is_left_by_an_exit_waits_for_none(self, server, monkeypatch):
        """Its listeners are cancelled with whoever closes the ends, as when SIGTERM comes."""
        limits, limited = [], asyncio.timeout

        def noted(delay_s):
            limits.append(limited(delay_s))
            return limits[-1]

        async def main():
            held = await ends(server)
            monkeypatch.setattr(asyncio, "timeout", noted)
            try:
                asyncio.get_running_loop().call_soon(sys.exit, 143)
                await asyncio.Event().wait()
            finally:
                for end in held[:2]:
                    await end.close()

        with pytest.raises(SystemExit):
            asyncio.run(main())
        monkeypatch.undo()
        assert limits
        assert not any(limit.expired() for limit in limits)
        asyncio.run(nobody_left(server))

    @pytest.mark.slow
    async def test_the_whole_program_is_killed(self):
        """Neither the server nor its processes outlive it."""
        program = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOLDING_TWO_ENDS, stdout=subprocess.PIPE
        )
        told = (await program.stdout.readline()).split()
        left = [psutil.Process(int(pid)) for pid in told]
        assert len(left) == 3
        program.send_signal(signal.SIGKILL)
        await program.wait()
        await asyncio.to_thread(psutil.wait_procs, left)


HOLDING_TWO_ENDS = """
import asyncio, psutil
from tests.measure.connectivity_on_kernel.test_remote_end import EndServer, ends, processes

async def main():
    with EndServer() as server:
        held = await ends(server)
        print(server._server.pid, *(each.pid for each in processes(server)), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


class Untidy:
    """An end that leaves a timer which fails."""

    async def close(self):
        asyncio.get_running_loop().call_soon(refuse)
        await asyncio.sleep(0)


async def test_what_an_agent_leaves_behind_is_not_printed(monkeypatch, caplog):
    monkeypatch.setattr(end_process, "end_here", lambda *_: Untidy())
    ours, theirs = socket.socketpair()
    serving = asyncio.create_task(
        end_process.serve_end(theirs, "caller", HOST_ONLY, "ice", lambda: None)
    )
    end = await RemoteEnd.opened(ours, "caller", Log())
    await end.close()
    await serving
    assert caplog.messages == []


async def test_a_step_that_is_given_up_before_it_begins_is_no_warning():
    """The request to close comes right behind it."""
    ours, theirs = socket.socketpair()
    ours.sendall(b'[0, "add", null]\n[1, "close", null]\n')
    with ours, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", RuntimeWarning)
        await end_process.serve_end(theirs, "caller", HOST_ONLY, SESSION, lambda: None)
        gc.collect()
    assert [str(each.message) for each in warned] == []


def refuse():
    raise PermissionError("not in there")


class TestFaults:
    async def test_what_cannot_be_entered(self, server):
        with pytest.raises(ChildError, match=r"caller's end .*PermissionError: not in there"):
            await server.open("caller", HOST_ONLY, "ice", Log(), refuse)
        await nobody_left(server)

    async def test_a_process_that_ends_at_once(self, server):
        with pytest.raises(ChildError, match="ended in the middle"):
            await server.open("caller", HOST_ONLY, "ice", Log(), partial(os._exit, 3))

    async def test_a_step_that_fails(self, server):
        """What goes wrong in the process is told, and not only that it did."""
        caller, callee, _ = await ends(server)
        with pytest.raises(ChildError, match=r"callee's end .*: FieldError: field '\[1\]'"):
            await callee.answer(([], 7, None))
        await caller.close()
        await callee.close()
        await nobody_left(server)

    async def test_a_server_that_is_gone(self):
        with EndServer() as server:
            server._server.kill()
            server._server.wait()
            with pytest.raises(ChildError, match="caller's end cannot be started"):
                await server.open("caller", HOST_ONLY, "ice", Log())


async def told(*said, step="pair_count"):
    """Ask an end that says what it is told to."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(line("ready"))
        end = await RemoteEnd.opened(ours, "caller", Log())
        asking = asyncio.ensure_future(getattr(end, step)())
        await asyncio.sleep(0)
        for each in said:
            theirs.sendall(each)
    try:
        return await asking
    finally:
        await end.close()


class TestRubbishFromTheProcess:
    async def test_answers_are_told_apart(self):
        assert await told(line("done", 9, 1), line("done", 0, 5)) == 5

    async def test_the_end_of_the_attempt(self):
        with pytest.raises(AttemptError, match="checks"):
            await told(line("over", 0, "checks"))

    @pytest.mark.parametrize(
        ("step", "result"),
        [
            ("pair_count", "many"),
            ("pair_count", None),
            ("selected_pair", ["one"]),
            ("selected_pair", None),
            ("offer", [1, 2, 3]),
            ("offer", "v=0"),
        ],
    )
    async def test_results_that_are_none(self, step, result):
        with pytest.raises(ChildError, match="caller's end"):
            await told(line("done", 0, result), step=step)

    async def test_a_line_without_end(self):
        with pytest.raises(ChildError, match="caller's end"):
            await told(b"x" * 100_000)

    @examples(30)
    @given(st.lists(st.binary(max_size=200), max_size=5))
    def test_bytes(self, said):
        """The asker is told that the end is of no use, and nothing stays open."""
        with pytest.raises((ChildError, AttemptError)):
            asyncio.run(told(*said))
