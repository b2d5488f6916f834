import os

import pytest
from hypothesis import settings

from tests.leaks import nothing_left

# No test may fail because the machine is busy, and an example's deadline is a clock's.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Three workers on two processors: tests wait for browsers, sound cards and sockets, too."""
    return (os.cpu_count() or 1) * 3 // 2


@pytest.fixture(name="nothing_left")
async def check_nothing_left():
    async with nothing_left():
        yield
