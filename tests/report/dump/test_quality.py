import numpy as np
import pytest

from jamlab.measure.dump.dump import read_dump
from jamlab.report.dump.quality import losses
from tests.measure.dump.calls import events, internals, samples, write


def drawn(tmp_path, delays_ms, **truth):
    call = internals(samples(delays_ms, **truth), events())
    return losses(read_dump(write(tmp_path / "call", call)))


def test_each_stream_has_its_line(tmp_path):
    lost, concealed, jitter, round_trip = drawn(
        tmp_path, [30.0] * 5, lost=3, concealed=480, round_trip_ms=60
    ).axes
    lines = {line.get_label(): line.get_ydata() for line in lost.get_lines()}
    assert set(lines) == {"stream 1, inbound", "stream 2, outbound"}
    np.testing.assert_allclose(lines["stream 1, inbound"][1:], 3)
    np.testing.assert_allclose(lines["stream 2, outbound"][1:], 2)
    (line,) = concealed.get_lines()
    np.testing.assert_allclose(line.get_ydata()[1:], 1.0)
    assert [len(axes.get_lines()) for axes in (jitter, round_trip)] == [2, 2]


@pytest.mark.parametrize("call", [{"PeerConnections": {}}])
def test_a_dump_without_streams_says_so(tmp_path, call):
    figure = losses(read_dump(write(tmp_path / "call", call)))
    assert all("no such figure" in axes.texts[0].get_text() for axes in figure.axes)
