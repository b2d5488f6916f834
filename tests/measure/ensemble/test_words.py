"""The advice in sentences: never surer than the latencies."""

import pytest

from jamlab.measure.ensemble import groups, tempo
from jamlab.measure.ensemble.words import ensemble_advice
from tests.measure.ensemble.meshes import even, of_pairs


@pytest.fixture
def advice(monkeypatch):
    def of(latencies):
        for module in (groups, tempo):
            monkeypatch.setattr(module, "latencies_of", lambda _: latencies)
        return ensemble_advice(None)

    return of


@pytest.mark.parametrize(
    ("latencies", "said"),
    [
        (even(2, 12.0), "Both can keep together as in one room: their latency is below 20 ms"),
        (even(3, 25.0), "All 3 can keep together, with some effort: every pair's latency is below"),
        (even(3, 20.0, 2.0), "INCONCLUSIVE whether all 3 can keep together as in one room: an"),
        (even(3, 20.0, 2.0), "They surely can keep together, with some effort, below 30 ms."),
        (even(2, 80.0), "No two are surely below 50 ms"),
        (
            of_pairs("abc", {"ab": (10, 12), "ac": (70, 71), "bc": (70, 71)}),
            "Not all 3 can play together; the largest group that can keep together as in one "
            "room, below 20 ms (Schuett 2002; Rottondi et al. 2016): a, b.",
        ),
        (of_pairs("abc", {}), "Who can play together is not known: no latency is known."),
        (of_pairs("abc", {"ab": (10, 12)}), "INCONCLUSIVE whether all 3 can"),
        (of_pairs("abc", {"ab": (10, 12)}), "What happens to the tempo is not known"),
        (even(2, 11.5), "the tempo of 120 bpm is expected to stay (a model"),
        (even(2, 40.0), "is expected to change by −18 to 0 bpm in a minute"),
    ],
)
def test_what_is_said(advice, latencies, said):
    assert said in advice(latencies)
