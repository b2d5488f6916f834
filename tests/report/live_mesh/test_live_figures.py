"""Live figures as a notebook shows them."""

import dataclasses

import numpy as np
import pytest

from jamlab.mesh.connection.events import Listeners
from jamlab.mesh.figures import PeerFigures
from jamlab.report.live_mesh import live_figures
from jamlab.report.live_mesh.live_figures import figures_table, latest_table, watch

KNOWN = PeerFigures(
    101.5,
    "ben",
    1,
    frame_s=0.0025,
    capture_s=0.0005,
    network_s=0.010,
    playout_s=0.004,
    card_s=0.002,
    lookahead_s=0.0025,
    local_candidate="host",
    remote_candidate="srflx",
    loss_share=0.01,
    repaired_share=0.005,
    concealed_share=0.02,
    sent_bit_s=243_000.0,
    received_bit_s=244_000.0,
    drift_ppm=-31.4,
    is_redundant=True,
)
UNKNOWN = PeerFigures(
    *(100.0, "cleo", 2, None, None, None, None, None, 0.0065, None, None),
    unknown="the loop lagged by 406 ms",
)
COLUMNS = [
    "at_s",
    "peer",
    "one_way_ms",
    "frame_ms",
    "capture_ms",
    "network_ms",
    "playout_ms",
    "card_ms",
    "lookahead_ms",
    "loss_percent",
    "repaired_percent",
    "concealed_percent",
    "sent_kbit_s",
    "received_kbit_s",
    "redundant",
    "drift_ppm",
    "route",
    "local",
    "remote",
    "unknown",
]
WORDS = ["peer", "route", "local", "remote", "unknown"]


class TestTable:
    def test_a_row_per_peer_and_interval_in_the_units_of_people(self):
        table = figures_table([UNKNOWN, KNOWN])
        assert list(table.columns) == COLUMNS
        row = table.iloc[1]
        assert row[["peer", "route", "local", "remote"]].tolist() == [
            "ben",
            "srflx",
            "host",
            "srflx",
        ]
        numbers = [1.5, 21.5, 2.5, 0.5, 10, 4, 2, 2.5, 1, 0.5, 2, 243, 244, -31.4]
        shown = row.drop([*WORDS, "redundant"]).astype(float)
        np.testing.assert_allclose(shown, numbers)
        assert table["redundant"].tolist() == [False, True]

    def test_what_is_not_known_is_missing(self):
        row = figures_table([UNKNOWN]).iloc[0]
        reason = "the loop lagged by 406 ms"
        known = {"at_s": 0.0, "peer": "cleo", "lookahead_ms": 6.5, "redundant": False}
        assert row.dropna().to_dict() == {**known, "unknown": reason}

    def test_types_hang_on_nothing_that_happened(self):
        for figures in [], [UNKNOWN], [KNOWN], [UNKNOWN, KNOWN]:
            table = figures_table(figures)
            numbers = [column for column in COLUMNS if column not in (*WORDS, "redundant")]
            assert (table[numbers].dtypes == "float64").all()
            assert table["redundant"].dtype == "bool"
            assert list(table.columns) == COLUMNS


class Session:
    """Has figures and peers, and tells who listens."""

    def __init__(self, *figures, peers):
        self.figures, self.peers = figures, frozenset(peers)
        self.listeners = Listeners()
        self.service = self

    def on_figures(self, listener):
        return self.listeners.add(listener)

    def take(self, figures):
        self.figures += (figures,)
        self.listeners.emit(figures)


class TestLatest:
    def test_the_last_of_everybody_who_is_there(self):
        table = latest_table(Session(UNKNOWN, UNKNOWN, KNOWN, peers=["ben", "cleo"]))
        assert table.index.tolist() == ["ben", "cleo"]
        assert table.loc["ben", "one_way_ms"] == pytest.approx(21.5)
        assert np.isnan(table.loc["cleo", "one_way_ms"])

    def test_who_has_gone_is_not_shown(self):
        assert latest_table(Session(UNKNOWN, KNOWN, peers=["cleo"])).index.tolist() == ["cleo"]

    def test_nobody_is_an_empty_table(self):
        assert latest_table(Session(peers=[])).empty

    def test_a_name_with_dollars_is_no_formula(self):
        figures = dataclasses.replace(KNOWN, peer_id="$x$")
        html = latest_table(Session(figures, peers=["$x$"]))._repr_html_()
        assert "mathjax_ignore" in html[: html.index("$x$")]
        html = figures_table([figures])._repr_html_()
        assert "mathjax_ignore" in html[: html.index("$x$")]


class Screen:
    """Stands for the notebook's output."""

    def __init__(self):
        self.shown = []

    def display(self, table, *, display_id):
        assert display_id is True
        self.shown.append(table)
        return self

    def update(self, table):
        self.shown.append(table)


@pytest.fixture
def screen(monkeypatch):
    shown = Screen()
    monkeypatch.setattr(live_figures, "display", shown.display)
    return shown


def later(figures, by_s):
    return dataclasses.replace(figures, at_s=figures.at_s + by_s)


def test_a_watched_table_follows_until_it_is_stopped(screen):
    session = Session(peers=["ben"])
    stop = watch(session)
    session.take(KNOWN)
    stop()
    session.take(later(KNOWN, 60))
    assert [len(table) for table in screen.shown] == [0, 1]


def test_it_follows_no_more_often_than_asked(screen):
    session = Session(peers=["ben", "cleo"])
    watch(session, every_s=2.0)
    for second in range(6):
        for figures in KNOWN, dataclasses.replace(UNKNOWN, at_s=KNOWN.at_s):
            session.take(later(figures, second))
    assert [len(table) for table in screen.shown] == [0, 1, 2, 2]


def test_a_table_to_look_at_is_rounded():
    table = latest_table(Session(dataclasses.replace(KNOWN, network_s=0.01234), peers=["ben"]))
    assert table.loc["ben", ["network_ms", "one_way_ms"]].tolist() == [12.3, 23.8]
