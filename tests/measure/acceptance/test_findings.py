import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.acceptance.findings import COLUMNS, Finding, tables_of
from jamlab.measure.statistics import Estimate


def test_figures_curves_and_events_become_rows():
    finding = Finding("local-capture")
    finding.note("level", "left", -6.0)
    finding.note("latency", "a → b", Estimate(2.0, 1.0, 3.0, 0.95))
    finding.draw("levels", "left", [0, 1], [-6.0, -7.0])
    finding.tell("notices", 1.5, "Hello", who="ada", peer="ben", kind="retrying")
    tables = tables_of([finding])
    assert tables["figures"].to_numpy().tolist() == [
        ["local-capture", "level", "left", -6.0, -6.0, -6.0],
        ["local-capture", "latency", "a → b", 2.0, 1.0, 3.0],
    ]
    assert tables["curves"][["x", "y"]].to_numpy().tolist() == [[0.0, -6.0], [1.0, -7.0]]
    assert tables["events"].to_numpy().tolist() == [
        ["local-capture", "notices", 1.5, "ada", "ben", "retrying", "Hello"]
    ]


def test_tables_of_nothing_have_their_columns_and_types():
    for name, table in tables_of([]).items():
        assert len(table) == 0
        assert dict(table.dtypes.astype(str)) == COLUMNS[name]


@given(st.lists(st.floats(allow_nan=False), max_size=5), st.lists(st.floats(allow_nan=False)))
def test_several_findings_lie_one_after_the_other(first, second):
    findings = []
    for test, values in (("a", first), ("b", second)):
        finding = Finding(test)
        for value in values:
            finding.note("f", "s", value)
        findings.append(finding)
    figures = tables_of(findings)["figures"]
    assert figures["value"].tolist() == first + second
    assert figures["test"].tolist() == ["a"] * len(first) + ["b"] * len(second)


def test_a_curve_has_as_many_x_as_y():
    with pytest.raises(ValueError, match="same length"):
        Finding("x").draw("p", "s", [1, 2], [1])


def test_a_finding_passes_between_processes(tmp_path):
    finding = Finding("x")
    finding.note("f", "s", 1)
    pd.to_pickle(finding, tmp_path / "finding")
    assert pd.read_pickle(tmp_path / "finding") == finding
