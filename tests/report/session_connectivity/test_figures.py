from xml.etree import ElementTree

import numpy as np
import pytest

from jamlab.measure.session_connectivity.measures import steps_table
from jamlab.report import session_connectivity as shown
from tests.measure.connectivity.attempts import OPEN, SYMMETRIC
from tests.measure.session_connectivity.meetings import campaign, record_of, row, table

FIGURES = {"sound": shown.sound_over_time, "measures": shown.measures}
TWO = [row(n, OPEN, OPEN, "direct", configuration=name) for n in (0, 1) for name in "ab"]
RECORDS = {
    "campaign": campaign(calls=60),
    "one call": record_of(table([row(0, OPEN, OPEN, "direct")])),
    "no sound": record_of(table([row(n, SYMMETRIC, SYMMETRIC, "failed") for n in range(3)])),
    "two configurations": record_of(table(TWO)),
    "many": campaign(calls=900),
}


@pytest.mark.slow
@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_any_record_gives_a_figure_of_the_same_bytes_each_time(make, record):
    one, other = make(record), make(record)
    assert one.alt
    drawn = one.svg()
    assert drawn == other.svg()
    ElementTree.fromstring(drawn)


def lines(axes, label):
    return next(line for line in axes.get_lines() if line.get_label() == label)


def test_the_curve_of_sound_ends_at_the_share_that_has_it():
    record = campaign(calls=200, relays=False)
    (axes,) = shown.sound_over_time(record).axes
    levels = lines(axes, "sound, STUN+TURN").get_ydata()
    assert levels[-1] == pytest.approx(record.sessions["first_sound_s"].notna().mean())
    assert axes.get_xscale() == "log"


def test_the_curve_of_direct_paths_ends_at_their_share():
    record = campaign(calls=200)
    (axes,) = shown.sound_over_time(record).axes
    levels = lines(axes, "direct, STUN+TURN").get_ydata()
    assert levels[-1] == pytest.approx((record.sessions["result"] == "direct").mean())


def test_each_measure_has_a_step_that_begins_where_the_last_ended():
    record = campaign(calls=200)
    (axes,) = shown.measures(record).axes
    steps = steps_table(record.sessions)
    bars = axes.patches[: len(steps)]
    assert [bar.get_width() for bar in bars] == pytest.approx(list(steps["gain"]))
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    assert ends == pytest.approx(list(steps["share"]))
    assert [bar.get_x() for bar in bars] == pytest.approx([0.0, *ends[:-1]])


def test_the_sessions_shares_stand_below():
    record = campaign(calls=200)
    (axes,) = shown.measures(record).axes
    direct, connected = (bar.get_width() for bar in axes.patches[-2:])
    assert direct == pytest.approx((record.sessions["result"] == "direct").mean())
    assert connected == 1.0
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[-2:] == ["sessions that end direct, STUN+TURN", "sessions that connect, STUN+TURN"]
    assert np.isfinite(axes.get_xlim()).all()
