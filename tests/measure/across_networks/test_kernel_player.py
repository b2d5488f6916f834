"""The task of a player over the wire; `test_kernel` runs players."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.across_networks.kernel_player import MACHINE_CLOCK, PlayerTask
from jamlab.measure.latency.plan import LatencyPlan

NAMES = st.text("abc 1", min_size=1, max_size=8)
SERVER = st.builds(IceServer, st.just("turn:198.18.0.1:3478?transport=udp"), NAMES, NAMES)
TASKS = st.builds(
    PlayerTask,
    name=NAMES,
    others=st.lists(NAMES, max_size=5).map(tuple),
    hub=st.just("ws://198.18.0.1:4000/socket"),
    key=NAMES,
    ice=st.builds(
        IceConfiguration,
        NAMES,
        st.lists(SERVER, max_size=2).map(tuple),
        st.sampled_from(["all", "relay"]),
    ),
    plan=st.builds(LatencyPlan, duration_s=st.floats(5, 25), block_frames=st.integers(16, 512)),
)


@given(TASKS)
def test_a_task_comes_out_as_it_went_in(task):
    assert PlayerTask.from_data(json.loads(json.dumps(task.to_data()))) == task


def test_the_clock_is_the_machines():
    assert MACHINE_CLOCK.at(123.4) == 123.4
    assert MACHINE_CLOCK.error_s == 0


@pytest.mark.parametrize("bad", [{}, {"name": "ada", "ice": {"servers": [], "name": "x"}}])
def test_a_task_that_is_none_is_an_error(bad):
    with pytest.raises(KeyError):
        PlayerTask.from_data(bad)
