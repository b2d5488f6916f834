"""The page of a mesh, compared with the record's figures."""

import math

import pytest

from jamlab.measure.live_mesh.pairs import pairs_table
from jamlab.measure.live_mesh.record import record_of
from jamlab.report.live_mesh import pairs as shown
from jamlab.report.page.figures import TARGETS_MS, WIDTH_IN
from tests.measure.live_mesh.reports import Mesh, even_mesh
from tests.measure.live_mesh.simulated_mesh import clock

NAMES = ("ada", "ben", "cleo")
LATENCIES_S = {("ada", "ben"): 0.045, ("ben", "ada"): 0.020, ("cleo", "ada"): 0.090}


@pytest.fixture(scope="module")
def record():
    mesh = Mesh(
        {"ada": clock(), "ben": clock(3.5, 1e-4), "cleo": clock(-60.0)},
        lambda a, b: LATENCIES_S.get((a, b), 0.030),
        lambda a, b: LATENCIES_S.get((a, b), 0.030) - 0.012,
    )
    return mesh.record(dan=None, eva="busy")


def cells(axes):
    """Words of every cell, by row and column."""
    return {
        (round(text.get_position()[1]), round(text.get_position()[0])): text.get_text()
        for text in axes.texts
    }


def colours(axes):
    (image,) = axes.get_images()
    return image.get_array().filled(math.nan)


def numbers(words):
    return [float(word) for word in words.split("–")]


class TestMap:
    def test_a_cell_is_an_interval_around_the_truth_coloured_by_its_upper_end(self, record):
        axes = shown.pair_map(record).axes[0]
        words, colour = cells(axes), colours(axes)
        for (row, column), text in words.items():
            if row == column:
                assert text == "–"
                continue
            low, high = numbers(text)
            true_ms = LATENCIES_S.get((NAMES[row], NAMES[column]), 0.030) * 1000
            assert low <= true_ms <= high
            assert high - 0.1 <= colour[row, column] <= high
        assert axes.get_xlabel() == "heard by"
        assert axes.get_ylabel() == "sent by"

    def test_no_cell_shows_a_middle(self, record):
        words = cells(shown.pair_map(record).axes[0])
        off_diagonal = [text for (row, column), text in words.items() if row != column]
        assert len(off_diagonal) == 6
        assert all(len(numbers(text)) == 2 for text in off_diagonal)

    def test_both_ways_are_one_figure_a_pair(self, record):
        axes = shown.pair_map(record).axes[1]
        words = {place: text for place, text in cells(axes).items() if text != "–"}
        table = pairs_table(record).set_index(["sender", "receiver"])["both_ways_ms"]
        assert set(words) == {(1, 0), (2, 0), (2, 1)}
        for (row, column), text in words.items():
            assert float(text) == pytest.approx(table[NAMES[row], NAMES[column]], abs=0.05)

    def test_colours_reach_to_the_targets(self, record):
        tops = [axes.get_images()[0].get_clim()[1] for axes in shown.pair_map(record).axes[:2]]
        assert tops == list(TARGETS_MS.values())

    def test_six_players_with_long_names_fit(self):
        names = tuple(f"somebody with a name of length {number}" for number in range(6))
        figure = shown.pair_map(even_mesh(names, latency_s=0.19, delay_s=0.175).record())
        figure.draw_without_rendering()
        axes = figure.axes[0]
        width = axes.get_window_extent().width / 6
        for text in axes.texts:
            assert text.get_window_extent().width < width
        assert figure.get_size_inches()[0] == WIDTH_IN
        assert all(len(label.get_text()) <= 15 for label in axes.get_xticklabels())

    def test_who_is_not_heard_and_what_is_not_known_is_said(self):
        words = cells(shown.pair_map(even_mesh(heard=lambda a, b, k: a != "ada").record()).axes[0])
        assert words[0, 1] == words[0, 2] == "not\nheard"
        words = cells(shown.pair_map(even_mesh(heard=lambda a, b, k: False).record()).axes[1])
        assert words[1, 0] == "unknown"

    def test_the_same_record_is_the_same_picture(self, record):
        assert shown.pair_map(record).svg() == shown.pair_map(record).svg()

    def test_nobody_is_told_of_in_words(self):
        mesh = even_mesh()
        record = record_of(mesh.request, {"ada": mesh.report("ada"), "ben": None})
        (axes,) = shown.pair_map(record).axes
        assert "No two connected participants took part" in axes.texts[0].get_text()
        for table in shown.pair_table, shown.worst_partner_table:
            assert table(record).data.empty


class TestTables:
    def test_a_row_per_ordered_pair_with_intervals_that_hold_the_truth(self, record):
        table = shown.pair_table(record).data.set_index("Path")
        assert len(table) == 6
        for (a, b), true_s in LATENCIES_S.items():
            low, _, high, unit = table["One way"][f"{a} → {b}"].split()
            assert float(low) <= true_s * 1000 <= float(high)
            assert unit == "ms"
        ahead = table["Receiver's clock ahead"]["ada → ben"].split()
        assert float(ahead[0]) <= 3_510.4 <= float(ahead[2])
        skew = table["Its skew"]["ada → ben"].split()
        assert float(skew[0]) <= 100 <= float(skew[2])
        assert table["Heard"]["ada → ben"] == "24 of 24"
        assert table["Both ways"]["ada → ben"] == table["Both ways"]["ben → ada"]

    def test_rounding_takes_nothing_out_of_an_interval(self):
        assert shown._outward(12.449, 12.451, 1) == (12.4, 12.5)
        assert shown._outward(-0.01, 99.2, 0) == (-1, 100)

    def test_where_there_is_no_offset_the_table_says_why(self):
        mesh = even_mesh()
        mesh.arrivals = lambda sender, receiver: ()
        table = shown.pair_table(mesh.record()).data
        assert (table["Receiver's clock ahead"] == "no packet there was noted at both ends").all()
        assert (table["Its skew"] == "unknown").all()

    def test_everybody_has_a_worst_partner(self, record):
        table = shown.worst_partner_table(record).data.set_index("Player")
        assert table["Worst partner"].to_dict() == {"ada": "cleo", "ben": "ada", "cleo": "ada"}
        assert table["Both ways"]["ada"] == "120.0 ms"

    def test_who_took_part_and_who_did_not(self, record):
        table = shown.participant_table(record).data.set_index("Participant")
        assert table["Took part"]["ada"] == "yes"
        assert table["Loop lag, 99th percentile"]["ada"] == "1.5 ms"
        assert table["Took part"]["dan"] == (
            "did not answer (a browser, an earlier version, or out of reach)"
        )
        assert table["Took part"]["eva"] == "was busy with another measurement"
        assert table["Card underruns"]["eva"] == ""

    def test_names_are_written_and_not_obeyed(self):
        record = even_mesh(("<b>ada</b>", "ben")).record()
        for table in shown.pair_table, shown.worst_partner_table, shown.participant_table:
            assert "<b>ada" not in table(record).to_html()
