"""The server's process: it comes up, and nothing of it stays, however it or its parent ends."""

import asyncio
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp

import pytest

from jamlab.audio_graph.graph import audio_graph
from jamlab.audio_graph.plan import GraphPlan
from jamlab.audio_graph.server import server_environment
from jamlab.process.child import Child, ChildError
from tests.audio_graph.on_graph import needs_graph, processes
from tests.leaks import until

PLAN = GraphPlan(("ada", "ben"))


@pytest.fixture(name="folder")
def make_folder():
    """A folder whose name is short enough for a socket's."""
    folder = Path(mkdtemp(prefix="jamlab-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def server(folder):
    task = {"plan": asdict(PLAN), "folder": str(folder)}
    with Child("the audio graph", "jamlab.audio_graph.server", task) as child:
        assert child.receive() == "ready"
        yield child


def test_the_servers_see_nothing_of_the_user_s_sound_system(folder, monkeypatch):
    for name in ("PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR", "PIPEWIRE_CONFIG_DIR"):
        monkeypatch.setenv(name, "of-the-user")
    environment = server_environment(folder)
    assert not any(name.startswith("PIPEWIRE") for name in environment)
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        assert environment[name] == str(folder)


@needs_graph
def test_three_programs_run_in_the_folder_until_the_end_is_asked_for(folder):
    with server(folder) as child:
        names = {process.name() for process in processes(folder)}
        assert names == {"pipewire", "wireplumber", "pipewire-pulse"}
        child.finish()
        assert child.status == 0
    assert not folder.exists()
    assert not processes(folder)


@needs_graph
async def test_a_killed_server_leaves_no_process(folder):
    with server(folder) as child:
        os.kill(child.pid, signal.SIGKILL)
    await until(lambda: not processes(folder))


@needs_graph
async def test_sigterm_ends_all_and_removes_the_folder(folder):
    with server(folder) as child:
        os.kill(child.pid, signal.SIGTERM)
        await until(lambda: child.status is not None)
    assert not folder.exists()
    assert not processes(folder)


HELD = """
import asyncio, sys
from jamlab.audio_graph.graph import audio_graph
async def main():
    async with audio_graph(("ada",)) as graph:
        print(graph.environment("ada")["PIPEWIRE_RUNTIME_DIR"], flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.slow
@needs_graph
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_nothing_is_left_of_a_program_that_a_signal_ends(number):
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HELD),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    folder = (await program.stdout.readline()).decode().strip()
    assert len(processes(folder)) == 3
    program.send_signal(number)
    await program.communicate()
    await until(lambda: not processes(folder) and not Path(folder).exists())


@needs_graph
def test_a_server_that_cannot_start_says_why(folder, monkeypatch):
    (folder / "bin").mkdir()
    broken = folder / "bin" / "wireplumber"
    broken.write_text("#!/bin/sh\necho no session today >&2; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{broken.parent}:{os.environ['PATH']}")
    with pytest.raises(ChildError, match="wireplumber has ended: no session today"), server(folder):
        pass
    assert not folder.exists()


@needs_graph
async def test_an_exception_in_the_context_leaves_nothing(nothing_left):
    folders = []

    async def failing():
        async with audio_graph(PLAN.players) as graph:
            folders.append(graph.environment("ada")["PIPEWIRE_RUNTIME_DIR"])
            raise KeyError

    with pytest.raises(KeyError):
        await failing()
    [folder] = folders
    await until(lambda: not processes(folder) and not Path(folder).exists())
