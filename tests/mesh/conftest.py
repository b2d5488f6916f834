import pytest


@pytest.fixture(autouse=True)
def _nothing_left(nothing_left):
    """Every test of the mesh closes what it opened."""
