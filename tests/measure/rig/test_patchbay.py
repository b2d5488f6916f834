"""Tests of jamlab.measure.rig.patchbay, on ports that a test chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio_graph.plan import ears, loudspeaker_inputs, microphone_inputs, mouths
from jamlab.audio_graph.ports import Port
from jamlab.measure.rig.patchbay import GRACE_S, Patchbay, Rewiring
from tests.examples import examples

PLAYERS = "ada", "ben"
DEVICES = [
    Port(number, name, is_input, 1, 0, False)
    for number, (name, is_input) in enumerate(
        (name, is_input)
        for player in PLAYERS
        for kind, is_input in (
            (microphone_inputs, True),
            (mouths, False),
            (loudspeaker_inputs, True),
            (ears, False),
        )
        for name in kind(player)
    )
]
NUMBERS = {port.name: port.number for port in DEVICES}
PIDS = {7: "ada", 8: "ben", 9: "before-1"}


def program(pid=7, inputs=2, outputs=2, linked=(), is_jack=True, first=100):
    """The ports of a program; `linked` has the devices' ports that its first ones are linked to."""
    ports = [
        Port(first + n, f"x:{n}", n < inputs, 50 + pid, pid, is_jack, frozenset())
        for n in range(inputs + outputs)
    ]
    ends = dict(linked)
    return [
        Port(p.number, p.name, p.is_input, p.node, p.pid, p.is_jack, frozenset(ends.get(n, ())))
        for n, p in enumerate(ports)
    ]


def settled(ports, players=PLAYERS):
    """Return what is to be done once the ports have been there for long."""
    patchbay = Patchbay(players)
    patchbay.rewiring([*DEVICES, *ports], PIDS.get, 10.0)
    return patchbay.rewiring([*DEVICES, *ports], PIDS.get, 10.0 + GRACE_S)


def named(links):
    names = {number: name for name, number in NUMBERS.items()}
    return [(names.get(a, a), names.get(b, b)) for a, b in links]


def test_a_program_that_waits_is_linked_to_its_own_devices():
    assert named(settled(program(pid=8)).made) == [
        ("ben-microphone:capture_FL", 100),
        ("ben-microphone:capture_FR", 101),
        (102, "ben-loudspeaker:playback_FL"),
        (103, "ben-loudspeaker:playback_FR"),
    ]


def test_it_has_time_to_link_itself():
    patchbay, ports = Patchbay(PLAYERS), [*DEVICES, *program()]
    assert patchbay.rewiring(ports, PIDS.get, 3.0) == Rewiring([], [])
    assert patchbay.rewiring(ports, PIDS.get, 3.0 + 0.9 * GRACE_S) == Rewiring([], [])
    assert len(patchbay.rewiring(ports, PIDS.get, 3.0 + GRACE_S).made) == 4


def test_a_new_port_gives_it_time_again():
    patchbay = Patchbay(PLAYERS)
    patchbay.rewiring([*DEVICES, *program(outputs=1)], PIDS.get, 3.0)
    found = patchbay.rewiring([*DEVICES, *program(outputs=2)], PIDS.get, 3.0 + GRACE_S)
    assert named(found.made) == [
        ("ada-microphone:capture_FL", 100),
        ("ada-microphone:capture_FR", 101),
    ]


def test_single_ports_are_for_both_sides():
    assert named(settled(program(inputs=1, outputs=1)).made) == [
        ("ada-microphone:capture_FL", 100),
        (101, "ada-loudspeaker:playback_FL"),
        (101, "ada-loudspeaker:playback_FR"),
    ]


def test_further_ports_are_left_alone():
    made = settled(program(inputs=8, outputs=8)).made
    assert [b if a < 100 else a for a, b in made] == [100, 101, 108, 109]


def test_a_program_that_links_itself_is_left_alone():
    links = {0: ["ada-microphone:capture_FL"], 2: ["ada-loudspeaker:playback_FL"]}
    assert settled(program(linked=links)) == Rewiring([], [])


def test_links_to_another_player_s_devices_are_removed_at_once():
    links = {0: ["ada-microphone:capture_FL"], 3: ["ada-loudspeaker:playback_FR", "y:in"]}
    found = Patchbay(PLAYERS).rewiring([*DEVICES, *program(pid=8, linked=links)], PIDS.get, 0.0)
    assert named(found.removed) == [
        ("ada-microphone:capture_FL", 100),
        (103, "ada-loudspeaker:playback_FR"),
    ]
    assert found.made == []


@pytest.mark.parametrize("ports", [program(pid=9), program(pid=5), program(is_jack=False)])
def test_other_programs_are_left_alone(ports):
    assert settled(ports) == Rewiring([], [])


NAMES = st.lists(st.sampled_from([*NUMBERS, "y:in"]), max_size=3)


@examples(100)
@given(st.integers(0, 4), st.integers(0, 4), st.dictionaries(st.integers(0, 8), NAMES))
def test_once_it_is_done_nothing_is_left_to_do(inputs, outputs, linked):
    ports = program(inputs=inputs, outputs=outputs, linked=linked)
    done = settled(ports)
    links = {n: set(names) for n, names in linked.items()}
    names = {number: name for name, number in NUMBERS.items()}
    for made, change in ((done.made, set.add), (done.removed, set.discard)):
        for link in made:
            mine, other = max(link), min(link)
            change(links.setdefault(mine - 100, set()), names[other])
    assert settled(program(inputs=inputs, outputs=outputs, linked=links)) == Rewiring([], [])
