import contextlib
import gc
import importlib
import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.examples import register_profiles
from tests.leaks import nothing_left

# jsonschema's optional check of addresses, which nobody asks for, builds a grammar for two seconds.
sys.modules.setdefault("rfc3987_syntax", None)

register_profiles()
settings.load_profile("quick")

BROWSERS = (
    *("tests/browser/", "tests/browsers/", "tests/measure/browser_acceptance/"),
    *("tests/client/test_in_the_browser.py", "tests/client/test_own_playout.py"),
    *("tests/cli/test_browser.py", "tests/cli/test_kernel_latency.py"),
    *("tests/measure/browser/test_run.py", "tests/measure/browser/test_players.py"),
    *("tests/measure/browser_networks/", "tests/measure/connectivity_on_kernel/test_browser"),
    "tests/mesh/connection/test_recorded.py",
)
"""Where tests start browsers."""
PROCESSOR = (
    *("tests/notebooks/test_jam_session.py", "tests/notebooks/test_loopback_latency.py"),
    *(f"tests/cli/test_{command}.py" for command in ("join", "latency", "rig")),
    *("tests/test_no_network.py", "tests/measure/across_networks/test_kernel.py"),
    *("tests/measure/latency/", "tests/measure/process_mesh/", "tests/measure/rig/"),
    *("tests/test_mishaps.py", "tests/audio_graph/"),
)
"""Where else tests in real time take a processor and more."""
LITTLE = (
    *("tests/audio/", "tests/mesh/", "tests/networks/kernel/", "tests/cli/test_serve.py"),
    *("tests/cli/machine/test_microphone.py", "tests/measure/live_mesh/"),
    *("tests/measure/sound_card/", "tests/measure/connectivity_on_kernel/"),
)
"""Where tests in real time take a small part of one."""

REAL_TIME = BROWSERS + PROCESSOR + LITTLE

# A shell's background job ignores Ctrl-C, one under nohup a closed terminal, and so would all that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Return more workers than processors, for tests often wait for browsers, cards and sockets.

    No more than that: each of them collects all tests.
    """
    return (os.cpu_count() or 1) * 3 // 2


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Let each worker import another share of the test modules first.

    On a fresh clone pytest compiles them all anew, with its own assertions, which takes longer than
    the rest of the collection. So each finds most of them compiled by the others.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args != session.config.getini("testpaths"):
        return
    root = session.config.rootpath
    paths = sorted(path.relative_to(root) for path in (root / "tests").rglob("test_*.py"))
    for path in paths[int(worker["workerid"][2:]) :: worker["workercount"]]:
        with contextlib.suppress(Exception, pytest.skip.Exception):  # told when it is collected
            importlib.import_module(".".join(path.with_suffix("").parts))


class ByFile(LoadScopeScheduling):
    """Scheduling by file, so that its tests share a measurement.

    Of the slow tests in real time one at a time takes a processor, and one a small part: two of the
    first kind want more than two processors, and then nobody hears anything.
    """

    def _split_scope(self, nodeid):
        in_turn = not self.config.option.markexpr and nodeid.startswith(REAL_TIME)
        takes = "a processor" if nodeid.startswith(BROWSERS + PROCESSOR) else "little of one"
        return takes if in_turn else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    # With slow tests the order is ours; the quick ones are as long as there are many in a file.
    config.option.loadscopereorder = bool(config.option.markexpr)
    return ByFile(config, log)


def in_real_time(item):
    """Return whether a test plays in real time or opens sockets."""
    return item.nodeid.startswith(REAL_TIME) or "nothing_left" in item.fixturenames


def pytest_collection_modifyitems(config, items):
    """Begin with what plays in real time, then with the slow files: none runs alone at the end.

    Slow tests, and those that play in real time or open sockets, are run again when they fail: a
    machine that is busy for some seconds loses clicks and packets, and gives a port that was just
    left to the next; only a fault of ours does so three times.
    """
    leave_out_passed(config, items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    in_turn = BROWSERS + PROCESSOR, REAL_TIME
    items.sort(
        key=lambda item: (
            *(not item.nodeid.startswith(each) for each in in_turn),
            item.path not in slow,
        )
    )
    for item in items:
        if item.get_closest_marker("slow") or in_real_time(item):
            item.add_marker(pytest.mark.flaky(reruns=2))


def pytest_make_parametrize_id(val, argname):
    """Number cases that are bytes: some are made with a count that the order of imports changes."""
    return argname if isinstance(val, bytes) else None


def pytest_addoption(parser):
    parser.addoption("--passed", metavar="FILE", help="list the tests that pass in a new file")
    parser.addoption("--except", metavar="FILE", help="leave out the tests that a file lists")


def leave_out_passed(config, items):
    if listed := config.getoption("--except"):
        passed = set(Path(listed).read_text(encoding="utf-8").splitlines())
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
        items[:] = [item for item in items if item.nodeid not in passed]


def pytest_terminal_summary(terminalreporter, config):
    if listed := config.getoption("--passed"):
        passed = sorted(report.nodeid for report in terminalreporter.stats.get("passed", ()))
        Path(listed).write_text("\n".join(passed), encoding="utf-8")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let tests in real time go before those that only compute, where one may (root may)."""
    if hasattr(os, "setpriority") and os.geteuid() == 0:
        with contextlib.suppress(PermissionError):  # root of a container may not
            os.setpriority(os.PRIO_PROCESS, 0, 0 if in_real_time(item) else 19)


@pytest.fixture(autouse=True, scope="module")
def _permanent():
    """Exclude permanent objects from garbage collection: tests for leaks collect often."""
    gc.collect()
    gc.freeze()


@pytest.fixture(name="nothing_left")
async def check_nothing_left():
    async with nothing_left():
        yield
