import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure import digits
from jamlab.measure.statistics import Estimate
from jamlab.measure.verdict import Outcome, judge_at_least, judge_below

NUMBERS = st.floats(-1e5, 1e5)


def number(text):
    return float(text.replace("−", "-"))


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        ((11.52, 11.349, 11.66), "11.5 ms (11.3–11.7)"),
        ((11.3524, 11.349, 11.356), "11.35 ms (11.35–11.36)"),
        ((27.4, 20.1, 35.2), "27 ms (20–35)"),
        ((1234.5, 800.0, 1700.0), "1234 ms (800–1700)"),
        ((0.002429, 0.002429, 0.002429), "0.00 ms"),
        ((2.66667, 2.66667, 2.66667), "2.67 ms"),
        ((123.456, 123.456, 123.456), "123 ms"),
        ((-2.66667, -2.66667, -2.66667), "−2.67 ms"),
        ((100.0, 100.0, 100.0), "100 ms"),
        ((-1.52, -1.7, -1.3), "−1.5 ms (−1.7 to −1.3)"),
        ((11.52, -math.inf, math.inf), "11.5 ms (no interval)"),
        ((11.52, 11.4, math.inf), "11.5 ms (11.4–∞)"),
        ((math.inf, 48.0, math.inf), "∞ ms (48–∞)"),
        ((math.inf, math.inf, math.inf), "∞ ms"),
        ((np.float64(math.inf),) * 3, "∞ ms"),
        ((math.nan, -math.inf, math.inf), "not measured"),
    ],
)
def test_a_figure_has_the_digits_it_bears(figure, text):
    assert digits.measured(*figure, "ms") == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(-71.234, "dBFS", "−71.2 dBFS"), (66.6667, "%", "66.7 %"), (0.04, "%", "0.04 %")],
)
def test_a_figure_without_an_interval_has_the_digits_of_its_unit(value, unit, text):
    assert digits.plain(value, unit) == text


def test_a_figure_that_passes_is_never_written_as_one_that_does_not():
    """49.97 with four digits of 1 ms is 50, beside a target of less than 50."""
    verdict = judge_below("latency", 50, Estimate(49.0, 48.2, 49.97, 0.95), "ms")
    assert verdict.verdict is Outcome.PASS
    assert verdict.measured == "49.00 ms (48.20–49.97)"
    assert "interval 48.20 to 49.97" in verdict.reason
    share = judge_at_least("share", 80, Estimate(82.0, 79.96, 84.0, 0.95), "%")
    assert share.verdict is Outcome.INCONCLUSIVE
    assert share.measured == "82.00 % (79.96–84.00)"


def test_a_figure_off_its_limit_is_never_written_as_the_limit():
    """An interval of 76 to 80 would not straddle a target of at least 80, it would seem."""
    share = judge_at_least("share", 80, Estimate(78.3, 76.43, 80.09, 0.95), "%")
    assert "interval 76.4 to 80.1 straddles" in share.reason
    assert digits.measured(80.0, 80.0, 80.0, "%", 80.0) == "80 %"


def test_a_minus_sign_is_not_written_before_a_zero():
    assert digits.fixed(-0.001, 2) == "0.00"


@given(NUMBERS, st.floats(1e-3, 1e4), NUMBERS)
def test_what_is_written_says_what_was_measured(low, width, limit):
    high, value = low + width, low + width / 2
    places = digits.decimals(value, low, high, "ms", limit)
    error = max(Decimal(width) / 6, Decimal("0.005")) + Decimal("5e-7")
    for exact in (value, low, high):
        written = Decimal(digits.fixed(exact, places).replace("−", "-"))
        assert abs(written - Decimal(exact)) <= error
        if abs(exact - limit) > 1e-6:
            assert (written < limit) == (exact < limit)
            assert written != limit


@given(NUMBERS)
def test_a_figure_alone_is_written_to_three_digits_or_its_resolution(value):
    written = number(digits.plain(value, "ms").removesuffix(" ms"))
    assert abs(written - value) <= max(abs(value) * 0.005, 0.005) * 1.000001


@pytest.mark.parametrize(
    ("value", "written"), [(10.0, "10 %"), (2.04, "2.04 %"), (2.0004, "2.0004 %")]
)
def test_what_is_over_its_limit_is_seen_to_be(value, written):
    """2.04 % used to be written as "2.0%, over 2%"."""
    assert digits.over(value, "%", 2.0) == written


@pytest.mark.parametrize(
    ("ends_s", "text"),
    [
        ((0.639, 0.641), "639 to 641 ms"),
        ((0.0046, 0.0056), "4.6 to 5.6 ms"),
        ((0.0, 2.0), "0 to 2 s"),
        ((11.04, 12.04), "11 to 12 s"),
    ],
)
def test_a_duration_below_a_second_is_in_milliseconds(ends_s, text):
    assert digits.duration(*ends_s) == text
