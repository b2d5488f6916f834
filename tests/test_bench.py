"""Bars of the benches: ratios to known work are independent of the machine's speed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.bars import bar, figure, publish
from bench.calibration import Compared, alternated, spread, work, work_s
from bench.port_prediction import direct_share, is_direct
from jamlab.measure.connectivity.population import load_population, place_named

TRUE_RATIO = 0.9
"""Time of the measured work over that of the known work, on any machine."""


class Machine:
    """A machine that takes ``slowness`` seconds for a unit of work, a new value for each job."""

    def __init__(self, slowness):
        self._slowness = iter(slowness)

    def measured(self):
        return TRUE_RATIO * next(self._slowness)

    def known(self):
        return next(self._slowness)


@given(st.floats(1e-4, 100))
def test_a_bar_means_the_same_on_every_machine(slowness):
    """The same code has 1,059 attempts a second on one machine, 633 on another, and one ratio."""
    machine = Machine([slowness] * 7)
    compared = alternated(machine.measured, machine.known, 3)
    assert compared.ratios == pytest.approx([TRUE_RATIO] * 3)
    assert bar("attempt", compared.ratios, "×", "≤", 1).holds


def test_an_absolute_bar_would_have_blamed_the_code():
    fast, slow = 1 / 1059, 1 / 633
    rates = [1 / seconds for seconds in (fast, slow)]
    assert [bar("attempts", [rate], "1/s", "≥", 1000).holds for rate in rates] == [True, False]
    compared = [alternated(m.measured, m.known, 1) for m in map(Machine, ([fast] * 3, [slow] * 3))]
    assert [bar("attempt", each.ratios, "×", "≤", 1).holds for each in compared] == [True, True]


def test_a_machine_that_slows_down_steadily_does_not_show():
    compared = alternated(*_of(Machine(np.linspace(1, 4, 7))), 3)
    assert compared.ratios == pytest.approx([TRUE_RATIO] * 3)
    assert spread(compared.measured) > 2
    assert spread(compared.ratios) == pytest.approx(1)


def _of(machine):
    return machine.measured, machine.known


def test_each_run_has_known_work_before_it_and_after_it():
    with pytest.raises(ValueError, match=r"shorter|longer"):
        _ = Compared(measured=[1.0, 1.0], known=[1.0, 1.0]).ratios


def test_a_unit_is_timed_by_the_clock_it_is_given():
    ticks = iter(range(100))
    assert work_s(lambda: float(next(ticks))) == 1.0
    assert work() is None


def test_figures_are_told_and_not_judged(tmp_path, capsys):
    rows = [bar("share", [1.0, 2.0, 9.0], "%", "≤", 2), figure("rate", [5.0] * 100, "1/s")]
    assert publish([*rows, bar("ratio", [3.0], "×", "<", 3)], tmp_path / "bench.json") == 1
    written = json.loads((tmp_path / "bench.json").read_text())
    assert [row["holds"] for row in written] == [True, None, False]
    printed = capsys.readouterr().out
    assert "rate" in printed
    assert "5 … 5 … 5 … 5 … 5" in printed


@pytest.mark.parametrize(
    ("one", "other", "plain", "guessed"),
    [
        ("APDM/APDF/preserve", "EIM/APDF/preserve", False, True),
        ("APDM/APDF/contiguous", "EIM/APDF/random", False, True),
        ("APDM/APDF/preserve", "APDM/APDF/preserve", False, True),
        ("APDM/APDF/random", "EIM/APDF/preserve", False, False),
        ("APDM/APDF/preserve", "APDM/APDF/random", False, False),
        ("APDM/APDF/preserve", "UDP blocked", False, False),
        ("EIM/APDF/preserve", "EIM/APDF/preserve", True, True),
    ],
)
def test_a_guessed_port_helps_where_both_ends_then_know_where_they_send_from(
    one, other, plain, guessed
):
    for a, b in ((one, other), (other, one)):
        ends = place_named(a), place_named(b)
        assert is_direct(*ends, guesses=False) is plain
        assert is_direct(*ends, guesses=True) is guessed


def test_the_gain_by_guesses_is_what_the_shares_say():
    """Of the default population 2.6 + 0.7 % preserve; 57.1 % are EIM/APDF (data, by hand)."""
    population = load_population("nat_population")
    gain = direct_share(population, guesses=True) - direct_share(population, guesses=False)
    assert gain == pytest.approx(2 * 0.033 * 0.571 + 0.033**2, abs=1e-4)
