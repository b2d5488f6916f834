"""The table of encodings: medians, ranges, and the frontier by comparing every two of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.sound_quality.encodings import encodings_table
from jamlab.media.quality import FRAME_LENGTHS
from tests.examples import examples
from tests.measure.sound_quality.records import quality_record

SESSIONS = st.lists(
    st.tuples(st.integers(5, 15).map(float), st.integers(1, 5).map(float)), min_size=1, max_size=3
)


def frontier(figures):
    table = encodings_table(quality_record(figures))
    return dict(zip(table["frame_frames"], table["frontier"], strict=True))


@given(st.dictionaries(st.sampled_from(FRAME_LENGTHS), SESSIONS, min_size=1))
@examples(60)
def test_only_what_loses_every_comparison_of_sessions_is_off_the_frontier(figures):
    def beats(one, other):
        pairs = [(a, b) for a in figures[one] for b in figures[other]]
        return all(a[0] <= b[0] and a[1] >= b[1] for a, b in pairs) and (
            all(a[0] < b[0] for a, b in pairs) or all(a[1] > b[1] for a, b in pairs)
        )

    for frames, stays in frontier(figures).items():
        assert stays == (not any(beats(other, frames) for other in figures if other != frames))


def test_an_encoding_has_its_median_and_range():
    row = encodings_table(quality_record({120: [(9.0, 4.5), (10.0, 4.9), (14.0, 4.8)]})).iloc[0]
    assert (row["latency_ms"], row["latency_ms_low"], row["latency_ms_high"]) == (10, 9, 14)
    assert row["zimtohrli"] == 4.8
    assert row["wire_bps"] == pytest.approx(128_000 + 58 * 8 * 400)


def test_without_the_figure_nothing_is_on_the_frontier():
    assert frontier({120: [(9.0, math.nan)], 240: [(11.0, math.nan)]}) == {120: False, 240: False}
