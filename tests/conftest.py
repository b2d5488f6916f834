import contextlib
import gc
import os
import signal

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tests.examples import register_profiles
from tests.leaks import nothing_left

register_profiles()
settings.load_profile("quick")

BROWSERS = (
    *("tests/browser/", "tests/client/test_in_the_browser.py", "tests/cli/test_browser.py"),
    *("tests/measure/browser/test_run.py", "tests/measure/browser/test_players.py"),
    "tests/measure/browser_acceptance/",
    *("tests/measure/browser_networks/", "tests/measure/connectivity_on_kernel/test_browser"),
)
"""Where tests start browsers: each wants a machine of its own, and two at once fail for load."""
REAL_TIME = (
    *BROWSERS,
    *("tests/audio/", "tests/audio_graph/", "tests/mesh/", "tests/notebooks/test_jam_session.py"),
    *(f"tests/cli/test_{command}.py" for command in ("join", "latency", "rig", "serve")),
    *("tests/measure/latency/", "tests/measure/live_mesh/", "tests/measure/process_mesh/"),
    *("tests/measure/rig/", "tests/measure/sound_card/", "tests/networks/kernel/"),
)
"""Where tests play sound in real time."""

# A shell's background job ignores Ctrl-C, one under nohup a closed terminal, and so would all that
# tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Return more workers than processors, for tests often wait for browsers, cards and sockets.

    Slow tests run whole jams in real time and need a larger share of a processor.
    """
    halves = 4 if config.option.markexpr else 3
    return (os.cpu_count() or 1) * halves // 2


class ByFile(LoadScopeScheduling):
    """Scheduling by file, so that its tests share a measurement; one browser at a time."""

    def _split_scope(self, nodeid):
        return "browsers" if nodeid.startswith(BROWSERS) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    # With slow tests the order is ours; the quick ones are as long as there are many in a file.
    config.option.loadscopereorder = bool(config.option.markexpr)
    return ByFile(config, log)


def in_real_time(item):
    """Return whether a test plays in real time or opens sockets."""
    return item.nodeid.startswith(REAL_TIME) or "nothing_left" in item.fixturenames


def pytest_collection_modifyitems(items):
    """Begin with browsers, then with the files that have slow tests: none runs alone at the end.

    Slow tests, and those that play in real time or open sockets, are run again when they fail: a
    machine that is busy for some seconds loses clicks and packets, and gives a port that was just
    left to the next; only a fault of ours does so three times.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (not item.nodeid.startswith(BROWSERS), item.path not in slow))
    for item in items:
        if item.get_closest_marker("slow") or in_real_time(item):
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let tests in real time go before those that only compute, where one may (root may)."""
    if hasattr(os, "setpriority") and os.geteuid() == 0:
        with contextlib.suppress(PermissionError):  # root of a container may not
            os.setpriority(os.PRIO_PROCESS, 0, 0 if in_real_time(item) else 10)


@pytest.fixture(autouse=True, scope="module")
def _permanent():
    """Exclude permanent objects from garbage collection: tests for leaks collect often."""
    gc.collect()
    gc.freeze()


@pytest.fixture(name="nothing_left")
async def check_nothing_left():
    async with nothing_left():
        yield
