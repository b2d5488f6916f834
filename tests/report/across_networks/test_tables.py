"""The page's part across networks: tables and figure of made-up records."""

import pytest

from jamlab.networks.model.profile import profile_named
from jamlab.report.across_networks import tables as across
from tests.measure.latency.records import record_of
from tests.report.page.pages import Page


def record(latency_ms, concealed_frames=0):
    return record_of(
        lambda *_: [latency_ms + 0.01 * (k % 5) for k in range(100)],
        lambda *_: [2 * latency_ms] * 100,
        concealed_frames=concealed_frames,
    )


@pytest.fixture
def records():
    return {"LAN": record(10.0), "4G": record(130.0)}


def text(shown):
    return Page(shown._repr_html_()).text


def test_verdicts_name_their_network(records):
    words = text(across.verdict_table(records))
    assert words.index("PASS") < words.index("over LAN") < words.index("FAIL")
    assert "over 4G" in words


def test_the_head_has_the_gravest(records):
    words = text(across.masthead(records, "Latency across networks"))
    assert "Latency across networks" in words
    assert "FAIL" in words
    assert "2 participants" in words


def test_a_row_says_what_the_network_does_and_what_came_of_it(records):
    words = text(across.profile_table(records))
    assert "10.02" in words or "10.0" in words
    assert "130" in words
    assert "ms" in words
    assert "802.3" in words  # the source of the LAN's rate


def test_a_trace_is_described_by_its_record():
    measured = record(60.0)
    figures = {"delay_s": 0.004, "jitter_s": 0.0167, "loss": 0.015}
    replayed = {**figures, "source": "home.csv", "assumed": ""}
    measured.provenance.update(network="trace home", replayed=replayed)
    words = text(across.profile_table({"trace home": measured}))
    for word in ("trace home", "4 ms", "16.7 ms", "1.50%", "home.csv"):
        assert word in words


def test_a_profile_that_replays_has_the_figures_of_its_trace():
    columns = across.network_columns(profile_named("5G, real"))
    assert columns["Delay"] == "12 ms"  # the least round trip of the file


def test_the_figure_has_a_bar_for_each_network(records):
    figure = across.stages(records)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["LAN", "4G"]
    (diamonds,) = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert diamonds.get_xdata()[1] == pytest.approx(130, abs=0.1)


def test_the_figure_survives_clicks_nobody_heard():
    silent = record_of(lambda *_: [float("nan")] * 100, lambda *_: [float("nan")] * 100)
    assert "<svg" in across.stages({"LAN": silent}).svg()
