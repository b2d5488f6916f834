import pytest

from tests.leaks import nothing_left


@pytest.fixture(name="nothing_left")
async def check_nothing_left():
    async with nothing_left():
        yield
