import math

import pytest

from jamlab.measure.dump.layouts.log import Log, placed

UNIX_S = 1_744_660_500.0  # 2025-04-14 19:55:00 UTC


def log(*times, statistics_s=math.nan):
    entries = [{"time": time, "type": "createOffer", "value": ""} for time in times]
    return Log.of({"updateLog": [*entries, "no entry"]}, statistics_s)


def at_s(result):
    return [[event.at_s for event in events] for events in result.events]


def test_the_users_clock_is_placed_by_the_statistics():
    result = placed([log("12:55:00 PM", "12:55:04 PM", statistics_s=UNIX_S + 1.2)])
    assert at_s(result) == [[UNIX_S, UNIX_S + 4]]
    assert (result.whole_seconds, result.absolute) == (True, True)


def test_unix_times_need_no_placing():
    written = {"timestamp": 1000 * UNIX_S + 7, "time": "1:00:00 PM", "type": "createOffer"}
    result = placed([Log.of({"updateLog": [written]}, math.nan)])
    assert at_s(result) == [[pytest.approx(UNIX_S + 0.007)]]
    assert (result.whole_seconds, result.absolute) == (False, True)


def test_iso_8601_needs_none_either():
    assert at_s(placed([log("2025-04-14T19:55:00Z")])) == [[UNIX_S]]


def test_without_statistics_differences_alone_are_known():
    result = placed([log("11:59:58 PM", "12:00:03 AM")])
    first, second = at_s(result)[0]
    assert second - first == 5.0
    assert not result.absolute


def test_a_log_over_midnight_goes_on():
    late = log("11:59:58 PM", "12:00:03 AM", statistics_s=UNIX_S)
    first, second = at_s(placed([late]))[0]
    assert second - first == 5.0
    assert -2 <= UNIX_S - first < 900
