import pytest
from hypothesis import settings

from tests.leaks import nothing_left

# No test may fail because the machine is busy, and an example's deadline is a clock's.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(name="nothing_left")
async def check_nothing_left():
    async with nothing_left():
        yield
