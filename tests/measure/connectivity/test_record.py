import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.connectivity.record import (
    ATTEMPT_COLUMNS,
    ATTEMPTS,
    FAILED,
    RESULTS,
    STUN_ONLY,
    ConnectivityRecord,
)
from jamlab.measure.record import RecordError
from tests.examples import examples

from .attempts import LADDER, OPEN, TURN, attempts_between, campaign, record_of, row, table

PLACES = st.sampled_from(["open", "EIM/APDF/preserve", "CGN APDM/APDF + EIM/APDF", "Zürich"])
DRAWN = st.lists(
    st.tuples(PLACES, PLACES, st.sampled_from(RESULTS), st.floats(0, 60), st.floats(0, 90)),
    min_size=1,
    max_size=20,
)


@pytest.fixture
def record():
    return campaign(calls=20)


def test_a_record_survives_the_disk(record, tmp_path):
    again = ConnectivityRecord.load(record.save(tmp_path / "deep" / "folder"))
    pd.testing.assert_frame_equal(again.attempts, record.attempts, check_dtype=False)
    assert again.provenance == json.loads(json.dumps(record.provenance))


@examples(20)
@given(drawn=DRAWN)
def test_any_attempts_survive_the_disk(drawn, tmp_path_factory):
    record = record_of(table([row(n, STUN_ONLY, *each) for n, each in enumerate(drawn)]))
    assert ATTEMPTS.fault(record.attempts) == ""
    again = ConnectivityRecord.load(record.save(tmp_path_factory.mktemp("any")))
    pd.testing.assert_frame_equal(again.attempts, record.attempts, check_dtype=False)


def test_other_tools_can_read_it(record, tmp_path):
    record.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"attempts.parquet", "provenance.json"}
    assert list(pd.read_parquet(tmp_path / "attempts.parquet").columns) == list(ATTEMPT_COLUMNS)


@pytest.mark.parametrize("name", ["attempts.parquet", "provenance.json"])
def test_a_missing_or_broken_file_is_named(record, tmp_path, name):
    record.save(tmp_path)
    (tmp_path / name).write_bytes(b"{nonsense")
    with pytest.raises(RecordError, match=rf"{name} cannot be read"):
        ConnectivityRecord.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(RecordError, match=rf"{name} is missing: name a folder"):
        ConnectivityRecord.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"result": "relay"}, "has 'relay' for a result"),
        ({"level": "tls"}, "has 'tls' for a level"),
        ({"callee_candidate": "relayed"}, "has 'relayed' for a callee_candidate"),
        ({"relay_transport": "tls"}, "has 'tls' for a relay_transport"),
        ({"stage": "dtls"}, "has 'dtls' for a stage"),
        ({"call": 1}, "has a call twice under one configuration"),
        ({"observed_s": -1.0}, "was not observed for zero or more seconds"),
        ({"observed_s": np.nan}, "was not observed for zero or more seconds"),
        ({"time_to_connect_s": np.nan}, "has a time to connect without a connection, or"),
        ({"result": FAILED}, "has a time to connect without a connection, or"),
        ({"time_to_connect_s": 9.0}, "has a time to connect beyond the time observed"),
        ({"states": "checking"}, "has 'checking' for states"),
        ({"states": "7"}, "has '7' for states"),
        ({"states": "[[0.1, 7]]"}, "for states"),
        ({"states": '[[0.1, "caller", "dtls", "new"]]'}, "for states"),
        ({"states": '[["0.1", "caller", "ice", "new"]]'}, "for states"),
        ({"states": '[[0.1, ["caller"], "ice", "new"]]'}, "for states"),
    ],
)
def test_a_strange_attempt_is_told(tmp_path, change, words):
    good = [row(n, STUN_ONLY, OPEN, OPEN, "direct") for n in (0, 1)]
    record = record_of(table([good[0] | change, good[1]]))
    with pytest.raises(RecordError, match=r"attempts\.parquet .*measure again with") as told:
        ConnectivityRecord.load(record.save(tmp_path))
    assert words in str(told.value)


def test_a_campaign_without_attempts_is_refused(record, tmp_path):
    replace(record, attempts=record.attempts.iloc[:0]).save(tmp_path)
    with pytest.raises(RecordError, match=r"attempts\.parquet has no rows.*: measure again"):
        ConnectivityRecord.load(tmp_path)


def test_a_table_of_another_time_is_refused(record, tmp_path):
    record.save(tmp_path)
    record.attempts.drop(columns="stage").to_parquet(tmp_path / "attempts.parquet")
    with pytest.raises(RecordError, match=r"lacks the columns \['stage'\]: measure again"):
        ConnectivityRecord.load(tmp_path)


def test_words_for_numbers_are_told(record):
    fault = ATTEMPTS.fault(record.attempts.astype({"seed": str}))
    assert fault == "has something other than whole numbers in its column seed"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ([], "is not a JSON object"),
        ({"calls": 3, "created": "", "machine": {}, "parameters": {}, "versions": {}}, ""),
    ],
)
def test_a_strange_provenance_is_told(record, tmp_path, told, words):
    record.save(tmp_path)
    (tmp_path / "provenance.json").write_text(json.dumps(told))
    wanted = words or r"lacks \['population', 'configurations', 'with_turn', 'relay_only'\]"
    with pytest.raises(RecordError, match=rf"provenance\.json {wanted}: measure again"):
        ConnectivityRecord.load(tmp_path)


def test_configurations_come_in_the_order_tried():
    assert record_of(attempts_between([(OPEN, OPEN)] * 2)).configurations == [
        STUN_ONLY,
        TURN,
        LADDER,
    ]
    record = record_of(attempts_between([(OPEN, OPEN)] * 2, configurations=(TURN, STUN_ONLY)))
    assert record.configurations == [TURN, STUN_ONLY]
    assert list(record.of(TURN)["call"]) == [0, 1]


def test_who_has_a_relay_is_in_the_provenance():
    assert record_of(attempts_between([(OPEN, OPEN)] * 2)).with_turn == [TURN, LADDER]


def test_nothing_personal_is_recorded(record):
    assert str(Path.home()) not in json.dumps(record.provenance)
