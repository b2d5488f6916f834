"""The lag probe on a loop whose clock the test sets."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.loop_lag import PROBE_INTERVAL_S, LagProbe, LoopLag


class StalledLoop(asyncio.SelectorEventLoop):
    """A loop that lives through given times: each iteration happens at the next of them."""

    def __init__(self, times_s):
        self._times = iter(times_s)
        self._now = next(self._times)
        super().__init__()

    def time(self):
        return self._now

    def _run_once(self):
        super()._run_once()
        self._now = next(self._times, self._now + PROBE_INTERVAL_S)


def watch(times_s, until_s):
    async def main():
        loop = asyncio.get_running_loop()
        with LagProbe() as probe:
            await asyncio.sleep(until_s - loop.time())
            return probe.lag()

    with asyncio.Runner(loop_factory=lambda: StalledLoop(times_s)) as runner:
        return runner.run(main())


def test_a_punctual_loop_has_no_lag():
    lag = watch(np.arange(0, 1, PROBE_INTERVAL_S / 5), 0.9)
    assert lag.max_s <= PROBE_INTERVAL_S / 5 + 1e-9
    assert lag.readings == pytest.approx(0.9 / PROBE_INTERVAL_S, abs=2)


def test_a_stall_counts_for_all_the_time_it_took():
    """A stall of 100 ms in a second is late for a tenth of the readings, up to 100 ms."""
    step = PROBE_INTERVAL_S / 5
    times = [*np.arange(0, 0.5, step), *np.arange(0.6, 1.1, step)]
    lag = watch(times, 1.0)
    assert lag.max_s == pytest.approx(0.1, abs=2 * PROBE_INTERVAL_S)
    assert lag.readings == pytest.approx(1.0 / PROBE_INTERVAL_S, abs=3)
    assert lag.p99_s > 0.08
    assert lag.median_s < PROBE_INTERVAL_S


@given(st.lists(st.floats(0, 10), min_size=1))
def test_summary_is_numpys(lateness_s):
    lag = LoopLag.of(lateness_s)
    assert lag.max_s == max(lateness_s)
    assert lag.median_s == pytest.approx(np.median(lateness_s))
    assert lag.p95_s <= lag.p99_s <= lag.max_s or lag.p99_s == pytest.approx(lag.max_s)
    assert lag.to_dict()["p99_ms"] == lag.p99_s * 1000


def test_no_reading_is_an_error():
    with pytest.raises(ValueError, match="never read"):
        LoopLag.of([])


async def test_the_probe_leaves_no_timer():
    with LagProbe() as probe:
        pass
    assert probe._timer.cancelled()
