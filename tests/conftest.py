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

BROWSER = "tests/browser/"
REAL_TIME = (
    *("tests/audio/", "tests/audio_graph/", "tests/cli/test_join.py", "tests/mesh/"),
    *("tests/measure/latency/", "tests/measure/live_mesh/", "tests/measure/sound_card/"),
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
    """Scheduling by file, so that its tests share a measurement; all browser tests are one file."""

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return BROWSER if file.startswith(BROWSER) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)


def pytest_collection_modifyitems(items):
    """Begin with the files that have slow tests, so that no such file runs alone at the end.

    Slow tests, and those that play in real time or open sockets, are run again when they fail: a
    machine that is busy for some seconds loses clicks and packets, and gives a port that was just
    left to the next; only a fault of ours does so three times.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        opens_sockets = "nothing_left" in item.fixturenames
        if item.get_closest_marker("slow") or item.nodeid.startswith(REAL_TIME) or opens_sockets:
            item.add_marker(pytest.mark.flaky(reruns=2))


@pytest.fixture(autouse=True, scope="module")
def _permanent():
    """Exclude permanent objects from garbage collection: tests for leaks collect often."""
    gc.collect()
    gc.freeze()


@pytest.fixture(name="nothing_left")
async def check_nothing_left():
    async with nothing_left():
        yield
