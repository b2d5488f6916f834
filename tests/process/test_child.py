"""Child processes: real ones of this package, and small modules that behave as a test wants."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from jamlab.measure.across_networks.kernel import PLAYER
from jamlab.measure.across_networks.kernel_servers import HUB
from jamlab.process.child import Child, ChildError, child_process
from tests.examples import examples
from tests.leaks import DEADLINE_S

pytestmark = pytest.mark.usefixtures("nothing_left")

TASK = {"host": "127.0.0.1", "key": "a secret of our own", "ice": {"iceServers": []}}
BEGIN = "import os, sys, subprocess, threading\nfrom jamlab.process.parent import *\n"
ECHO = """
with ending_with_parent():
    send(receive())
    while (message := receive()) is not None:
        send(message)
    send("the last")
"""
NEVER = "threading.Event().wait()"
JSON = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.fixture(name="module")
def make_module(tmp_path, monkeypatch):
    """Return a function that makes a module of some lines and returns its name."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.getcwd()}")  # noqa: PTH109

    def made(lines):
        (tmp_path / "small.py").write_text(BEGIN + lines)
        return "small"

    return made


@pytest.fixture(scope="module", name="echo")
def make_echo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("echo")
    (folder / "echo.py").write_text(BEGIN + ECHO)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", f"{folder}:{os.getcwd()}")  # noqa: PTH109
        with Child("the echo", "echo", "task") as echo:
            assert echo.receive() == "task"
            yield echo


def wait_for_end(pid):
    with suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(DEADLINE_S)


def failure(module, ask=Child.receive):
    """Return what is said when a child of that module is asked for a message."""
    with Child("the child", module, 0) as child, pytest.raises(ChildError) as caught:
        ask(child)
    return str(caught.value)


class TestInTheKernelsLab:
    """The hub and the players of a latency run, but in no namespace."""

    async def test_it_does_as_it_is_told_until_it_is_to_finish(self):
        async with child_process("the hub", HUB, TASK) as hub:
            told = await hub.receive()
            assert told["hub"].startswith("ws://127.0.0.1:")
            assert await hub.finish() == {"served": True}
            assert hub._child.status == 0

    async def test_one_that_is_left_is_ended(self):
        async with child_process("the hub", HUB, TASK) as hub:
            await hub.receive()
            assert hub._child.status is None
        assert hub._child.status == -signal.SIGKILL

    async def test_one_that_fails_says_why(self):
        async with child_process("the hub", HUB, TASK | {"host": "192.0.2.1"}) as hub:
            sentence = r"^the process of the hub ended with status 1: .*192\.0\.2\.1"
            with pytest.raises(ChildError, match=sentence):
                await hub.receive()

    async def test_one_that_ends_without_a_word_is_missed(self):
        async with child_process("player 1", PLAYER, {}) as player:
            sentence = r"^the process of player 1 ended with status 1: KeyError: 'ice'"
            with pytest.raises(ChildError, match=sentence):
                await player.receive()

    async def test_a_namespace_is_entered_by_a_command(self):
        commands = []

        def noted(*command):
            commands.append(command)
            return command

        async with child_process("the hub", HUB, TASK, noted) as hub:
            await hub.receive()
        ((_, *module),) = commands
        assert module == ["-m", HUB]


class TestMessages:
    @examples(200, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(message=JSON)
    def test_arrive_as_they_were_sent(self, echo, message):
        echo.send(message)
        assert echo.receive() == message

    async def test_wait_for_each_other(self, module):
        async with child_process("the echo", module(ECHO), 1) as echo:
            for number in range(2, 5):
                echo.send(number)
            assert [await echo.receive() for _ in range(4)] == [1, 2, 3, 4]
            assert await echo.finish() == "the last"

    def test_that_are_no_json_are_shown(self, module):
        said = failure(module("print('hello', flush=True)\n" + NEVER))
        assert said == "the process of the child sent b'hello\\n', which is not JSON"
        said = failure(module("print('[' * 100_000, flush=True)\n" + NEVER))
        assert said.endswith("[', which is not JSON")

    def test_to_a_child_that_is_gone_are_lost(self, module):
        with Child("the child", module("sys.exit(3)"), 0) as child:
            child._process.wait(DEADLINE_S)
            child.send("too late")
            with pytest.raises(ChildError, match=r"ended with status 3: no message"):
                child.receive()


class TestEnd:
    def test_with_all_done_is_told_apart_from_a_failure(self, module):
        with Child("the child", module("with ending_with_parent(): send(receive())"), 7) as child:
            assert child.receive() == 7
            assert child.receive() is None
            assert child.status == 0

    @pytest.mark.parametrize("ask", [Child.receive, Child.finish])
    def test_without_that_is_a_failure(self, module, ask):
        said = failure(module("receive()"), ask)
        assert said == "the process of the child ended with status 0: no message"

    def test_of_a_child_that_writes_much_is_in_its_last_line(self, module):
        """More than a pipe holds, which nobody reads meanwhile."""
        lines = "sys.stderr.write('x' * 10**6)\nraise OSError('the last\\n line')"
        assert failure(module(lines)) == "the process of the child ended with status 1: line"

    def test_by_an_error_of_ours_is_its_sentence(self, module):
        lines = "from jamlab.process.child import ChildError\nraise ChildError('x', 'did this')"
        said = failure(module(lines))
        assert said == "the process of the child ended with status 1: the process of x did this"

    def test_is_by_force_when_it_does_not_finish(self, module, monkeypatch):
        monkeypatch.setattr("jamlab.process.child._FINISHING_S", 0.0)
        said = failure(module(NEVER), Child.finish)
        assert said == "the process of the child ended with status -9: no message"

    def test_is_that_of_what_it_has_started(self, module):
        lines = "send(subprocess.Popen(['sleep', 'infinity']).pid)\n" + NEVER
        with Child("the child", module(lines), 0) as child:
            pid = child.receive()
        wait_for_end(pid)

    async def test_comes_when_a_task_that_waits_is_cancelled(self, module):
        begun = asyncio.Event()
        children = []

        async def wait():
            async with child_process("the child", module("send(0)\n" + NEVER), 0) as child:
                children.append(child._child)
                await child.receive()
                begun.set()
                await child.receive()

        waiting = asyncio.create_task(wait())
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert children[0].status == -signal.SIGKILL

    def test_is_none_for_a_command_that_is_not_there(self):
        child = Child("the child", "small", 0, lambda *_: ["/nowhere/nsenter"])
        sentence = "^the process of the child cannot be started: .*/nowhere/nsenter"
        with pytest.raises(ChildError, match=sentence), child:
            pass


OWNER = """
import sys
from jamlab.process.child import Child
with Child("the child", "small", 0) as child:
    print(child.pid, child.receive(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [NEVER, "while True: pass", "import asyncio\n    asyncio.run(asyncio.Event().wait())"],
    ids=["waits", "computes", "runs a loop"],
)
def test_a_child_ends_when_its_parent_is_killed(module, work):
    module(f"with ending_with_parent():\n    send(receive())\n    {work}")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", OWNER], **pipes) as owner:
        pid, _ = owner.stdout.readline().split()
        owner.kill()
    wait_for_end(int(pid))
