"""The recording that is made on the spot."""

import pytest

from jamlab.measure.recording.analysis import analyse
from jamlab.measure.recording.delays import pairs
from jamlab.measure.recording.example import DELAY_MS, DROPPED, example_take


@pytest.mark.slow
def test_it_has_the_delay_and_the_drops_that_it_says(tmp_path):
    (pair,) = pairs(analyse(example_take(tmp_path / "take.wav")))
    lost = pair.clicks["delay_ms"].abs() > 1e6
    assert pair.clicks.loc[lost, "click"].tolist() == [*DROPPED]
    assert pair.clicks.loc[~lost, "delay_ms"].to_numpy() == pytest.approx(DELAY_MS, abs=0.01)
