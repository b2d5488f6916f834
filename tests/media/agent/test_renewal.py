"""When addresses are looked up, and when servers are asked again."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.agent.renewal import (
    AGAIN_S,
    FRESH_S,
    LONGEST_AGAIN_S,
    LOOK_S,
    LOST_AGAIN_S,
    PathState,
    Renewal,
    Step,
)
from tests.examples import examples


def steps(path, until_s, from_s=0.0, renewal=None):
    """Return the steps of an agent whose path stays as it is, with their times."""
    renewal, now_s, done = renewal or Renewal(), from_s, []
    while now_s < until_s:
        for step in renewal.step(path, now_s):
            done.append((now_s, step))
            if step is Step.ALL:
                renewal.note_gathering(now_s)
        now_s = renewal.due_s
    return done


def times(done, *wanted):
    return [at_s for at_s, step in done if step in wanted]


def test_while_a_direct_path_works_nothing_is_done():
    assert steps(PathState.DIRECT, 3600) == []


def test_while_a_relay_is_used_servers_that_gave_nothing_are_asked_again_ever_less_often():
    asked = times(steps(PathState.RELAYED, 300), Step.ASK_AGAIN)
    waits = [later - before for before, later in zip([0, *asked], asked, strict=False)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert set(waits[5:]) == {LONGEST_AGAIN_S}
    assert times(steps(PathState.RELAYED, 300), Step.LOOK, Step.ALL) == []


def test_before_the_first_pair_new_addresses_are_looked_for_and_nothing_is_gathered_twice():
    done = steps(PathState.LOST, 10)
    assert times(done, Step.ALL, Step.ASK_ANEW) == []
    looked = times(done, Step.LOOK)
    assert looked == [LOOK_S * number for number in range(len(looked))]
    assert looked[-1] >= 10 - LOOK_S


def test_a_path_that_is_lost_has_everything_gathered_once_and_silent_servers_asked_often():
    renewal = Renewal()
    renewal.step(PathState.DIRECT, 0.0)
    done = steps(PathState.LOST, 30, 10.0, renewal)
    assert times(done, Step.ALL) == [10.0]
    asked = times(done, Step.ASK_ANEW)
    assert asked[0] == 10 + AGAIN_S
    assert {later - before for before, later in itertools.pairwise(asked)} == {LOST_AGAIN_S}


def test_what_was_gathered_just_now_for_a_new_address_is_not_gathered_again():
    renewal = Renewal()
    renewal.step(PathState.DIRECT, 0.0)
    assert renewal.step(PathState.QUIET, 10.0) == [Step.LOOK]
    renewal.note_gathering(10.0)
    assert renewal.step(PathState.LOST, 10.0 + LOOK_S) == [Step.LOOK]
    assert renewal.step(PathState.DIRECT, 20.0) == []
    assert renewal.step(PathState.LOST, 30.0) == [Step.ALL]


@examples(500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PathState), st.floats(0, 5)), max_size=60))
def test_whatever_happens_steps_are_few(history):
    """Each kind has a least interval, and what is due comes later than now."""
    renewal, now_s, last_s = Renewal(), 0.0, {}
    least_s = {Step.LOOK: LOOK_S, Step.ALL: FRESH_S, Step.ASK_AGAIN: AGAIN_S}
    for path, wait_s in history:
        now_s += wait_s
        for step in renewal.step(path, now_s):
            kind = Step.ASK_AGAIN if step is Step.ASK_ANEW else step
            assert now_s - last_s.get(kind, -10.0) >= least_s[kind] - 1e-9
            last_s[kind] = now_s
            if step is Step.ALL:
                renewal.note_gathering(now_s)
        assert renewal.due_s > now_s
