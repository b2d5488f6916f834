"""Tests of jamlab.report.sound_quality.tables."""

from jamlab.report.sound_quality import encoding_table, provenance_table
from tests.measure.sound_quality.records import quality_record
from tests.report.page.test_tables import words

RECORD = quality_record({120: [(9.0, 4.9), (10.0, 4.7)], 960: [(25.0, 4.4), (26.0, 4.4)]})


def test_an_encoding_has_its_figures_with_their_range():
    text = words(encoding_table(RECORD))
    assert "cable low latency 2.5 ms 128 kbit/s 314 kbit/s 9.5 ms (9.0–10.0)" in text
    assert "1.0 % 14.0 dB 4.80 (4.70–4.90) yes" in text


def test_a_figure_that_was_not_measured_says_so():
    text = words(encoding_table(quality_record({120: [(9.0, float("nan"))]})))
    assert "14.0 dB not measured" in text


def test_names_from_outside_are_no_markup():
    html = encoding_table(quality_record({120: [(9.0, 4.9)]}, network="<b>x</b>"))._repr_html_()
    assert "<b>" not in html


def test_the_provenance_has_the_plan():
    text = words(provenance_table(RECORD))
    assert "cable, Wi-Fi" in text
    assert "duration 3 s" in text
