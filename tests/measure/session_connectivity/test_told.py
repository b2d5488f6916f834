"""What users were told, counted by hand."""

import json

from jamlab.measure.session_connectivity.told import told_table

from .meetings import row, table

JOINED = [0.04, "caller", "joined"]


def call(number, *notices, result="relayed", **options):
    told = json.dumps([JOINED, *notices])
    return row(number, "open", "open", result, **options) | {"notices": told}


def test_kinds_are_counted_by_call_and_by_their_first_time():
    told = told_table(
        table(
            [
                call(0, [4.0, "caller", "retrying"], [4.5, "callee", "retrying"]),
                call(1, [8.0, "callee", "retrying"], [9.0, "callee", "relaying"]),
                call(2, [6.0, "caller", "retrying"], result="failed"),
                call(3),
            ]
        )
    )
    rows = told.to_dict("records")
    assert [each["kind"] for each in rows] == ["retrying", "relaying"]
    assert rows[0] == {
        "configuration": "STUN+TURN",
        "kind": "retrying",
        "calls": 3,
        "share": 0.75,
        "first_s": 6.0,
        "early": 1,
    }


def test_early_in_a_call_that_fails_is_not_too_early():
    told = told_table(table([call(0, [2.0, "caller", "no audio"], result="failed")]))
    assert told["early"].tolist() == [0]


def test_each_configuration_has_its_own():
    rows = [
        call(0, [4.0, "caller", "retrying"], configuration="a"),
        call(0, [4.0, "caller", "servers useless"], configuration="b"),
    ]
    told = told_table(table(rows))
    assert told[["configuration", "kind"]].to_numpy().tolist() == [
        ["a", "retrying"],
        ["b", "servers useless"],
    ]


def test_where_nobody_was_told_anything_there_is_no_row():
    told = told_table(table([call(0)]))
    assert len(told) == 0
    assert "share" in told.columns
