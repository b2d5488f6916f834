import numpy as np
import pytest

from jamlab.measure.dump.dump import read_dump
from jamlab.report.dump.stages import stages
from tests.measure.dump.calls import events, internals, samples, write


@pytest.fixture
def drawn(tmp_path):
    def of(call, packet=""):
        made = internals(samples(call, playout_ms=40.0, round_trip_ms=60.0), events(packet=packet))
        return stages(read_dump(write(tmp_path / "call", made)))

    return of


def tops(axes):
    return {area.get_label(): area.get_paths()[0].vertices[:, 1].max() for area in axes.collections}


def test_areas_are_stacked(drawn):
    (axes,) = drawn([30.0, 50.0, 35.0], packet="a=ptime:20\r\n").axes
    assert tops(axes) == {
        "playout": pytest.approx(40),
        "jitter buffer": pytest.approx(90),
        "frame": pytest.approx(110),
    }


def test_the_round_trip_is_on_top_as_a_bound(drawn):
    (axes,) = drawn([30.0, 50.0, 35.0]).axes
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    np.testing.assert_allclose(lines["and a round trip, at most"], [130, 150, 135])
    assert lines["target of one way"][0] == 50


def test_a_dump_without_audio_says_so(drawn):
    (axes,) = drawn([]).axes
    assert "no inbound audio stream" in axes.texts[0].get_text().replace("\n", " ")
