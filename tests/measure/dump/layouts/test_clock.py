import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.dump.layouts.clock import absolute_s, day_of, of_day_s, unwrapped, zone_s
from tests.examples import examples

NOON_55 = 12 * 3600 + 55 * 60


@pytest.mark.parametrize(
    "written",
    [
        "4/14/2025, 12:55:00 PM",
        "14/04/2025, 12:55:00",
        "14.4.2025, 12:55:00",
        "14.4.2025 klo 12.55.00",
        "2025/4/14 12:55:00",
        "2025/4/14 下午12:55:00",
        "2025. 4. 14. 오후 12:55:00",
        "14/4/2025, 12:55:00 p. m.",
        "14/4/25, 12:55:00 p.\xa0m.",
    ],
)
def test_a_time_of_day_is_read_in_any_language(written):
    assert of_day_s(written) == NOON_55


@pytest.mark.parametrize(
    ("written", "second"), [("12:00:07 AM", 7), ("1:00:00 PM", 46_800), ("23:59:59", 86_399)]
)
def test_noon_and_midnight(written, second):
    assert of_day_s(written) == second


@pytest.mark.parametrize("written", ["", "no time", "25:00:00", "12:60:00", "14.04.2025"])
def test_what_is_no_time_is_none(written):
    assert math.isnan(of_day_s(written))


@pytest.mark.parametrize("written", ["2025-04-14T19:55:01.177Z", "2025-04-14T12:55:01.177-07:00"])
def test_iso_8601_is_unix_time(written):
    assert absolute_s(written) == pytest.approx(1_744_660_501.177, abs=1e-6)


@pytest.mark.parametrize("written", ["2025-04-14T19:55:01", "4/14/2025", "", "0001-01-01T00:00Z"])
def test_without_a_zone_it_is_not(written):
    assert math.isnan(absolute_s(written))


def test_times_go_on_after_midnight():
    assert unwrapped([86_399.0, math.nan, 1.0, 0.0]) == pytest.approx(
        [86_399.0, math.nan, 86_401.0, 86_400.0], nan_ok=True
    )


quarters = st.integers(-48, 56).map(lambda quarter: timedelta(minutes=15 * quarter))
instants = st.datetimes(datetime(2015, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


@examples(200)
@given(instants, quarters, st.floats(-1.0, 800.0))
def test_any_zone_is_found_if_statistics_begin_soon(begin, zone, later_s):
    """The user's clock shows whole seconds of any zone; the log may begin a second late."""
    shown = (begin + zone).replace(microsecond=0)
    of_day = of_day_s(shown.strftime("%H:%M:%S"))
    statistics_s = begin.timestamp() + later_s
    found_s = zone_s([(of_day, statistics_s)])
    at_s = of_day + found_s + day_of(of_day + found_s, statistics_s)
    assert at_s == pytest.approx(begin.timestamp(), abs=1.0)


def test_the_closest_connection_decides():
    near, far = (43_200.0, 1_744_660_801.0), (43_200.0, 1_744_664_700.0)
    assert zone_s([far, near]) == zone_s([near]) == zone_s([near, far])
    assert math.isnan(zone_s([]))
