"""The record of sessions: what survives the disk, and what is refused."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.connectivity.record import RESULTS
from jamlab.measure.record import RecordError
from jamlab.measure.session_connectivity.record import SESSIONS, SessionRecord
from tests.examples import examples

from .meetings import SERVERS, campaign, record_of, row, table

PLACES = st.sampled_from(["open", "EIM/APDF/preserve", "CGN APDM/APDF + EIM/APDF", "Zürich"])
DRAWN = st.lists(
    st.tuples(PLACES, PLACES, st.sampled_from(RESULTS), st.floats(0.1, 60)),
    min_size=1,
    max_size=20,
)


def test_a_record_survives_the_disk(tmp_path):
    record = campaign(calls=20)
    again = SessionRecord.load(record.save(tmp_path / "deep" / "folder"))
    pd.testing.assert_frame_equal(again.sessions, record.sessions, check_dtype=False)
    assert again.provenance == json.loads(json.dumps(record.provenance))


@examples(20)
@given(drawn=DRAWN)
def test_any_sessions_survive_the_disk(drawn, tmp_path_factory):
    record = record_of(table([row(n, *each) for n, each in enumerate(drawn)]))
    assert SESSIONS.fault(record.sessions) == ""
    again = SessionRecord.load(record.save(tmp_path_factory.mktemp("any")))
    pd.testing.assert_frame_equal(again.sessions, record.sessions, check_dtype=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"result": "relay"}, "has 'relay' for a result"),
        ({"caller_candidate": "relayed"}, "has 'relayed' for a caller_candidate"),
        ({"call": 1}, "has a call twice under one configuration"),
        ({"observed_s": math.nan}, "was not observed for zero or more seconds"),
        ({"first_sound_s": math.nan}, "has a first sound that both do not hear, or none"),
        ({"callee_sound_s": math.nan}, "has a first sound that both do not hear, or none"),
        ({"first_sound_s": 0.2}, "has a first sound at a time at which neither"),
        ({"direct_s": math.nan}, "has a direct call without the time"),
        (
            dict.fromkeys(("first_sound_s", "caller_sound_s", "callee_sound_s"), math.nan),
            "has a call that did not fail and had no sound",
        ),
        ({"notices": "joined"}, "has 'joined' for notices"),
        ({"notices": "7"}, "has '7' for notices"),
        ({"notices": '[[1.0, "ada", "joined"]]'}, "for notices"),
        ({"notices": '[[1.0, "caller", "shouted"]]'}, "for notices"),
        ({"notices": '[["soon", "caller", "joined"]]'}, "for notices"),
        ({"notices": '[[1.0, "caller", ["joined"]]]'}, "for notices"),
    ],
)
def test_a_strange_call_is_told(tmp_path, change, words):
    good = [row(n, "open", "open", "direct") for n in (0, 1)]
    record = record_of(table([good[0] | change, good[1]]))
    with pytest.raises(RecordError, match=r"sessions\.parquet .*measure again with") as told:
        SessionRecord.load(record.save(tmp_path))
    assert words in str(told.value)


def test_a_call_that_had_sound_and_lost_it_is_a_failed_one():
    lost = row(0, "open", "open", "direct") | {"result": "failed", "direct_s": np.nan}
    assert SESSIONS.fault(table([lost])) == ""


def test_configurations_come_in_the_order_tried():
    rows = [row(n, "open", "open", "direct", configuration=name) for n in (0, 1) for name in "ba"]
    record = record_of(table(rows))
    assert record.configurations == ["b", "a"]
    assert list(record.of("a")["call"]) == [0, 1]
    assert record_of(table([row(0, "open", "open", "direct")])).configurations == [SERVERS]
