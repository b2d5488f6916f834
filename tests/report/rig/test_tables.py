"""Tests of jamlab.report.rig.tables."""

from jamlab.measure.rig.verdicts import rig_verdicts
from jamlab.report.rig import (
    comparison_table,
    masthead,
    path_table,
    provenance_table,
    remarks_table,
    verdict_table,
)
from tests.measure.rig.records import rig_record, steady
from tests.report.page.test_tables import words

SYSTEMS = [
    rig_record(steady(60.0), system="<b>slow</b>", remarks=["the <i>machine</i> was busy"]),
    rig_record(steady(20.0), system="quick"),
]


def test_the_masthead_names_every_system():
    text = words(masthead(SYSTEMS, "Latency of programs"))
    assert "quick, 2 players, from mouth to ear on an audio graph" in text
    assert "FAIL" in text


def test_every_verdict_has_its_reason():
    text = words(verdict_table(SYSTEMS))
    for system in SYSTEMS:
        for verdict in rig_verdicts(system):
            assert verdict.reason.split("<")[0] in text


def test_systems_stand_side_by_side():
    text = words(comparison_table(SYSTEMS))
    assert text.index("quick") < text.index("slow")
    assert "128 frames" in text


def test_a_path_has_its_figures():
    text = words(path_table(SYSTEMS))
    assert "ada → ben" in text
    assert "300 of 300" in text
    assert "0.90" in text


def test_text_from_outside_is_no_markup():
    for table in (comparison_table, path_table, remarks_table, provenance_table, verdict_table):
        html = table(SYSTEMS)._repr_html_()
        assert "<b>" not in html
        assert "<i>" not in html
    assert "the <i>machine</i> was busy" in words(remarks_table(SYSTEMS))


def test_the_provenance_has_commands_and_accuracy_of_every_system():
    text = words(provenance_table(SYSTEMS))
    assert "play {player}" in text
    assert "delay of the rig, taken off 2.67 ms" in text
    assert "quick: programs" in text
    assert "quick:" not in words(provenance_table(SYSTEMS[1:]))
