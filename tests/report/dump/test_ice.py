import pytest

from jamlab.measure.dump.dump import read_dump
from jamlab.report.dump.ice import ice_timeline
from tests.measure.dump.calls import events, internals, samples, write


@pytest.fixture
def drawn(tmp_path):
    def of(call):
        return ice_timeline(read_dump(write(tmp_path / "call", call)))

    return of


def test_candidates_and_states_are_where_they_happened(drawn):
    (axes,) = drawn(internals(samples([30.0] * 9), events())).axes
    points = {line.get_label(): line.get_xdata() for line in axes.get_lines()}
    assert points["relay candidate"] == pytest.approx([0.04], abs=2e-3)
    bars = {bar.get_label(): bar for bar in axes.containers}
    (checking,) = bars["ICE checking"].patches
    assert checking.get_width() == pytest.approx(0.52, abs=2e-3)
    (connected,) = bars["ICE connected"].patches
    assert connected.get_x() + connected.get_width() > 9


def test_each_connection_has_its_panel(drawn):
    call = internals(samples([30.0] * 9), events())
    call["PeerConnections"]["$x_{ [evil] 漢"] = call["PeerConnections"]["25-3"]
    figure = drawn(call)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["connection 1", "connection 2"]
    assert figure.svg()


def test_without_events_it_says_so(drawn):
    (axes,) = drawn({"PeerConnections": {}}).axes
    assert "no candidates" in axes.texts[0].get_text().replace("\n", " ")
