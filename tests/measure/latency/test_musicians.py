import math
from itertools import pairwise

import pytest

from jamlab.measure.latency import musicians
from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Outcome, judge_below, unmeasured

NAME = "one-way latency, 95th percentile of the worst path"


@pytest.mark.parametrize(
    ("latency_ms", "said", "source"),
    [
        (8.0, "closer than on a stage", "Gurevich et al. 2004"),
        (15.0, "as in one room", "Schuett 2002"),
        (25.0, "at the ensemble threshold", "Rottondi et al. 2016"),
        (35.0, "a steady tempo", "Tsioutas & Xylomenos 2021"),
        (49.0, "above the ensemble threshold", "Carôt & Werner 2009"),
        (70.0, "far above the ensemble threshold", "Schuett 2002"),
        (150.0, "plays alone", "Bartlette et al. 2006"),
        (math.inf, "plays alone", "Bartlette et al. 2006"),
    ],
)
def test_a_latency_means_what_was_published(latency_ms, said, source):
    words = musicians.meaning(latency_ms, latency_ms, latency_ms)
    assert said in words
    assert source in words


def test_a_pass_at_49_ms_says_that_it_is_above_the_ensemble_threshold():
    verdict = judge_below(NAME, 50, Estimate(49.0, 48.5, 49.5, 0.95), "ms")
    assert verdict.verdict is Outcome.PASS
    assert musicians.of_verdict(verdict).startswith("above the ensemble threshold")


def test_an_interval_in_two_bands_names_both():
    words = musicians.meaning(29.0, 18.0, 31.0)
    assert words.startswith("between “as in one room” and “above the ensemble threshold;")
    assert words.count("Schuett 2002") == 1


def test_a_figure_without_an_interval_is_said_to_have_none():
    assert "has no interval" in musicians.meaning(15.0, -math.inf, math.inf)


def test_what_was_not_measured_means_nothing():
    unheard = judge_below(NAME, 50, Estimate(math.nan, -math.inf, math.inf, 0.95), "ms")
    assert musicians.of_verdict(unheard) == ""


def test_only_a_one_way_latency_means_something_to_musicians():
    estimate = Estimate(49.0, 48.0, 49.5, 0.95)
    assert musicians.of_verdict(judge_below("round-trip latency", 100, estimate, "ms")) == ""
    assert musicians.of_verdict(judge_below(NAME, 100, estimate, "%")) == ""
    assert musicians.of_verdict(unmeasured(NAME, Outcome.NOT_RUN, "")) == ""


def test_the_bands_follow_each_other_and_have_sources_that_are_listed():
    for band, after in pairwise(musicians.BANDS):
        assert band.below_ms < after.below_ms
        assert musicians.band_of(band.below_ms) is after
    assert {source for band in musicians.BANDS for source in band.sources} == {*musicians.SOURCES}
    years = [int(source.cited[-4:]) for source in musicians.SOURCES]
    assert years == sorted(years)
