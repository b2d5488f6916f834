import os

import pytest
from hypothesis import settings

from tests.examples import register_profiles
from tests.leaks import nothing_left

register_profiles()
settings.load_profile("quick")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Three workers on two processors: tests wait for browsers, sound cards and sockets, too."""
    return (os.cpu_count() or 1) * 3 // 2


@pytest.fixture(name="nothing_left")
async def check_nothing_left():
    async with nothing_left():
        yield
