"""Sessions under random faults: afterwards all participants hear each other, and nothing leaks."""

import pytest

from tests.mesh.chaos import chaos

SEEDS, TOGETHER = 9, 3  # `make bench-session` plays 200


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, TOGETHER))
def test_everybody_hears_everybody_after_every_schedule(first, caplog):
    for seed in range(first, first + TOGETHER):
        chaos(seed)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
