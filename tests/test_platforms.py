"""jamlab starts where the names are missing that only some systems have.

A sitecustomize module hides them from this interpreter and from all its child processes, as on
Windows.
"""

import json
import os
import subprocess
import sys

import pytest

from jamlab.measure.connectivity.record import ConnectivityRecord

COMMANDS = (
    *("verify", "connectivity", "browser", "report", "latency", "click", "analyse", "join"),
    *("serve", "natprobe", "doctor"),
)
HIDING = """
# Parts of these packages for Unix need the names themselves.
import asyncio, ctypes.util, numpy, ifaddr, os, select, signal, sys
ctypes.util.find_library = lambda name: None
sys.modules["fcntl"] = None
scheduling = "SCHED_FIFO SCHED_RESET_ON_FORK sched_setscheduler sched_getscheduler sched_getparam"
for name in "uname fork killpg pidfd_open".split() + scheduling.split():
    delattr(os, name)
del os.sched_param, select.poll, signal.SIGHUP, signal.pidfd_send_signal
del asyncio.SelectorEventLoop.add_signal_handler
del asyncio.SelectorEventLoop.remove_signal_handler
"""


@pytest.fixture
def elsewhere(tmp_path):
    """Return a function that runs jamlab where the names are missing, in a folder of its own."""
    (tmp_path / "hiding").mkdir()
    (tmp_path / "hiding" / "sitecustomize.py").write_text(HIDING)
    path = os.pathsep.join([str(tmp_path / "hiding"), *filter(None, sys.path)])

    def run(*words, python=("-m", "jamlab")):
        command = [sys.executable, *python, *words]
        env = {**os.environ, "PYTHONPATH": path}
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    return run


def test_they_are_missing(elsewhere):
    ended = elsewhere(python=("-c", "import os, select; os.uname"))
    assert "AttributeError: module 'os' has no attribute 'uname'" in ended.stderr


@pytest.mark.slow
def test_every_module_can_be_imported_and_every_command_says_how_it_is_used(elsewhere):
    script = (
        "import contextlib, importlib, pkgutil, sys, jamlab\n"
        "for found in pkgutil.walk_packages(jamlab.__path__, 'jamlab.'):\n"
        "    if not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        "from jamlab.cli.commands import command_parser\n"
        "for name in sys.argv[1:]:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        command_parser().parse_args([name, '--help'])\n"
    )
    ended = elsewhere(*COMMANDS, python=("-c", script))
    assert ended.stderr == ""
    assert ended.stdout.count("usage: jamlab") == len(COMMANDS)


@pytest.mark.slow
def test_doctor_says_what_is_missing(elsewhere):
    ended = elsewhere("doctor")
    assert "Traceback" not in ended.stderr
    assert ended.returncode in (0, 1), ended.stderr
    assert "libopus" in ended.stdout


@pytest.mark.slow
def test_a_simulated_campaign_is_run_and_has_its_page(elsewhere, tmp_path):
    options = "--calls", "2", "--level", "ice", "--json"
    ended = elsewhere("connectivity", *options, "--out", "out")
    assert ended.stderr.count("Traceback") == 0, ended.stderr
    assert json.loads(ended.stdout)
    folder = tmp_path / "out" / "connectivity"
    assert len(ConnectivityRecord.load(folder).attempts) > 0
    assert folder.with_suffix(".html").is_file()
