"""The cells that players try."""

from jamlab.measure.connectivity_on_kernel.agreement import TYPES, expected_result
from jamlab.measure.connectivity_on_kernel.calls_of_players import (
    PAIRINGS,
    cells_of,
    sample_of,
)


def cells(tasks):
    return {(task.call.number, task.configuration.name) for task in tasks}


def test_browsers_try_every_cell_once():
    tasks = cells_of(TYPES)
    assert len(tasks) == len(cells(tasks)) == 36 * 5
    assert {task.players for task in tasks} == {("browser", "browser")}


def test_the_sample_has_every_two_places_and_all_of_it_connects():
    tasks = sample_of(TYPES)
    assert {task.call.number for task in tasks} == {*range(36)}
    for task in tasks:
        assert expected_result(task.call.caller, task.call.callee, task.configuration) != "failed"
    assert {task.configuration.name for task in tasks} == {
        "STUN+TURN/UDP",
        "STUN+TURN/TCP",
        "STUN+TURN/TLS",
    }


def test_every_pairing_tries_the_same_cells_of_the_sample():
    tasks = sample_of(TYPES)
    assert len(tasks) == 4 * len(cells(tasks))
    for pairing in PAIRINGS:
        assert cells(task for task in tasks if task.players == pairing) == cells(tasks)
