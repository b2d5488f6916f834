"""Tests of jamlab.report.ensemble.tables."""

import pytest

from jamlab.measure.ensemble import groups, tempo
from jamlab.measure.ensemble.words import ensemble_advice
from jamlab.report.ensemble import group_table, pair_table, tempo_table
from tests.measure.ensemble.meshes import of_pairs
from tests.measure.live_mesh.reports import even_mesh
from tests.report.page.test_tables import words


@pytest.fixture
def between(monkeypatch):
    def of(names, pairs_ms):
        for module in (groups, tempo):
            monkeypatch.setattr(module, "latencies_of", lambda _: of_pairs(names, pairs_ms))

    return of


def test_the_groups_have_limits_sources_and_the_advice(between):
    between("abc", {"ab": (10, 12), "ac": (25, 26), "bc": (27, 33)})
    text = words(group_table(None))
    assert ensemble_advice(None) in text
    assert "20 ms keep together as in one room a, b the same Schuett 2002" in text
    assert "30 ms keep together, with some effort a, b or a, c a, b, c Schuett 2002" in text


def test_a_pair_has_its_interval_and_meaning(between):
    between("abc", {"ab": (10, 12), "ac": (35, 35)})
    text = words(pair_table(None))
    assert "a and b 10.0–12.0 ms" in text
    assert "b and c not known not known" in text
    assert text.index("b and c") < text.index("a and c") < text.index("a and b")


def test_the_tempo_says_that_it_is_a_model(between):
    between("ab", {"ab": (30, 30)})
    text = words(tempo_table(None, 100.0))
    assert "Tempo, from 100 bpm, in a minute" in text
    assert "A model, no measurement. Cheston et al. 2024" in text
    assert "a plays later than the mean by 0.0–0.0 ms" in text
    between("ab", {})
    assert "not known" in words(tempo_table(None))


def test_names_from_outside_are_no_markup():
    record = even_mesh(("<b>x</b>", "ben")).record()
    for table in (pair_table(record), group_table(record), tempo_table(record)):
        assert "<b>" not in table._repr_html_()
        assert "<b>x</b>" in words(table)
