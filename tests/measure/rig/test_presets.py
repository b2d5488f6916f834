"""Tests of jamlab.measure.rig.presets."""

import pytest

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.rig.commands import filled, program_of
from jamlab.measure.rig.presets import PRESETS, rig_plan


@pytest.fixture
def installed(monkeypatch):
    """Every program of a preset is installed, whatever this machine has."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")


@pytest.mark.parametrize("name", PRESETS)
def test_its_commands_are_whole(installed, name):
    plan = rig_plan(name)
    values = {"player": "ada", "port": 5000, "own_port": 5001, "folder": "/tmp/x", "period": 128}
    for command in (*plan.commands, *plan.before):
        assert "{" not in "".join(filled(command, values))
        assert "PROGRAM" not in command
    assert plan.name == name
    assert any("{port}" in command for command in (*plan.commands, *plan.before))


def test_another_name_of_the_program_will_do(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: name if name == "Jamulus" else None)
    assert program_of(rig_plan("jamulus").commands[0]) == "Jamulus"


@pytest.mark.parametrize("name", ["jamulus", "jacktrip"])
def test_a_program_that_is_missing_is_told_with_what_installs_it(monkeypatch, name):
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(PlanError, match=f"is not installed: apt-get install {name}"):
        rig_plan(name)


def test_too_many_players_are_refused(installed):
    with pytest.raises(PlanError, match="the preset of JackTrip is for 2 players, not 3"):
        rig_plan("jacktrip", 3)


def test_an_unknown_one_is_refused_with_those_there_are():
    with pytest.raises(PlanError, match="no preset 'zoom': choose jamulus, jacktrip, jamlab"):
        rig_plan("zoom")


def test_parameters_and_further_programs_are_those_of_the_plan():
    plan = rig_plan("jamlab", 4, before=("sleep 5",), system="ours", target_ms=20.0)
    assert (len(plan.commands), plan.before[-1]) == (4, "sleep 5")
    assert (plan.name, plan.target_ms) == ("ours", 20.0)
