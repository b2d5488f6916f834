import asyncio
import time

from jamlab.measure.live_mesh.wall_clock import WallClock


async def test_it_shows_the_time_of_day_within_its_error():
    before_s = time.time()
    clock = WallClock.read()
    shown_s = clock.at(asyncio.get_running_loop().time())
    after_s = time.time()
    assert before_s - clock.error_s - 1e-6 <= shown_s <= after_s + clock.error_s + 1e-6


async def test_the_quickest_of_several_readings_counts():
    """What else the machine does between two readings of a clock is not in the error."""
    assert 0 <= WallClock.read().error_s < 0.01


async def test_a_wall_clock_that_is_set_does_not_disturb_it(monkeypatch):
    clock = WallClock.read()
    shown_s = clock.at(10.0)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert clock.at(10.0) == shown_s
    assert abs(clock.at(11.5) - shown_s - 1.5) < 1e-6
