"""Decisions of the agent: by cases, and by two ends over paths that work, fail and come back."""

import heapq
import itertools
import math
from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.media.agent.checklist import (
    BOTH_S,
    CONSENT_S,
    HEAD_START_S,
    LONGEST_RTO_S,
    MOST_TRIES,
    RTO_S,
    SEEKING_RTO_S,
    SILENCE_S,
    TA_S,
    Checklist,
)
from jamlab.media.agent.pair import DEAD_S, OFTEN_S, SELECTED_S, STEADY_S, PairState
from jamlab.media.agent.renewal import PathState
from tests.examples import examples


def direct(priority=100):
    return PairState(is_relayed=False, priority=priority)


def relayed(priority=1):
    return PairState(is_relayed=True, priority=priority)


class Agent:
    """One checklist in time, whose checks are answered by pairs that work."""

    def __init__(self, *pairs, controls=True, round_trip_s=0.0):
        self.list = Checklist(controls)
        self.works, self.round_trip_s, self.now_s = set(), round_trip_s, 0.0
        self.sent = []
        for pair in pairs:
            self.list.add(pair)

    def run(self, until_s):
        """Let the time pass; packets come on the selected pair while it works."""
        answers = []
        while True:
            due_s = max(self.list.due_s(self.now_s), math.nextafter(self.now_s, math.inf))
            next_s = min([due_s, *(at_s for at_s, _ in answers)])
            if next_s > until_s:
                self.now_s = until_s
                return
            self.now_s = next_s
            if self.list.selected in self.works:
                self.list.hear(self.list.selected, self.now_s)
            for entry in [entry for entry in answers if entry[0] <= self.now_s]:
                answers.remove(entry)
                self.list.answer(entry[1], self.round_trip_s, self.now_s)
            for check in self.list.due(self.now_s):
                self.sent.append((self.now_s, check))
                if check.pair in self.works:
                    answers.append((self.now_s + self.round_trip_s, check))

    def checks_of(self, pair):
        return [at_s for at_s, check in self.sent if check.pair is pair]


class TestChecks:
    def test_each_kind_in_turn_by_priority_at_the_pace_of_the_rfc(self):
        pairs = [direct(3), direct(2), direct(1), relayed(2), relayed(1)]
        agent = Agent(*pairs)
        agent.run(5 * TA_S)
        assert [check.pair for _, check in agent.sent[:5]] == [
            pairs[0], pairs[3], pairs[1], pairs[4], pairs[2]
        ]  # fmt: skip
        assert [at_s for at_s, _ in agent.sent[:5]] == pytest.approx([n * TA_S for n in range(5)])

    def test_while_no_pair_works_they_are_repeated_each_second_and_never_end(self):
        pair = direct()
        agent = Agent(pair)
        agent.run(100)
        waits_s = [b - a for a, b in itertools.pairwise(agent.checks_of(pair))]
        assert waits_s[:3] == pytest.approx([RTO_S, SEEKING_RTO_S, SEEKING_RTO_S])
        assert len(waits_s) == pytest.approx(100, abs=2)

    def test_beside_one_that_works_they_are_repeated_ever_less_often_and_never_end(self):
        far, pair = relayed(), direct()
        agent = Agent(far, pair)
        agent.works = {far}
        agent.run(100)
        sent_s = agent.checks_of(pair)
        waits_s = [later - sooner for sooner, later in itertools.pairwise(sent_s)]
        doubled_s = [min(RTO_S * 2**n, LONGEST_RTO_S) for n in range(len(waits_s))]
        assert waits_s == pytest.approx(doubled_s, abs=TA_S)
        assert len(sent_s) > 8

    def test_a_check_of_the_peer_triggers_one_at_once(self):
        pairs = [direct(n) for n in range(20)]
        agent = Agent(*pairs)
        agent.run(TA_S / 2)
        agent.list.trigger(pairs[0], agent.now_s)
        agent.run(TA_S)
        assert agent.sent[-1][1].pair is pairs[0]

    def test_beside_a_relayed_pair_direct_ones_are_checked_on_and_relayed_ones_are_not(self):
        far, near, other = relayed(2), direct(), relayed(1)
        agent = Agent(far, near, other)
        agent.works = {far}
        agent.run(300)
        assert agent.checks_of(near)[-1] > 300 - 2 * LONGEST_RTO_S
        assert len(agent.checks_of(other)) <= MOST_TRIES

    def test_in_use_there_is_one_every_few_seconds(self):
        near = direct()
        agent = Agent(near)
        agent.works = {near}
        agent.run(1)
        before = len(agent.sent)
        agent.run(101)
        assert len(agent.sent) - before == pytest.approx(100 / SELECTED_S, abs=2)


class TestSelection:
    def test_the_first_answer_selects_and_a_direct_one_replaces_a_relayed_one(self):
        far, near = relayed(), direct()
        agent = Agent(far, near)
        agent.works = {far}
        agent.run(1)
        assert agent.list.selected is far
        agent.works.add(near)
        agent.run(1 + RTO_S + 1)
        assert agent.list.selected is near

    def test_over_both_for_a_while(self):
        far, near = relayed(), direct()
        agent = Agent(far, near)
        agent.works = {far}
        agent.run(0.1)
        assert [*agent.list.sent_on(0.1)] == [far]
        agent.works.add(near)
        agent.run(RTO_S)
        changed_s = agent.checks_of(near)[-1]
        assert [*agent.list.sent_on(changed_s + BOTH_S * 0.99)] == [near, far]
        assert [*agent.list.sent_on(changed_s + BOTH_S)] == [near]

    def test_among_those_of_one_kind_the_selected_stays(self):
        low, high = direct(1), direct(2)
        agent = Agent(low)
        agent.works = {low, high}
        agent.run(1)
        agent.list.add(high)
        agent.run(10)
        assert agent.list.selected is low
        assert high.is_valid

    def test_a_dead_one_is_replaced_within_a_second_and_preferred_again_once_steady(self):
        near, far = direct(), relayed()
        agent = Agent(near, far)
        agent.works = {near, far}
        agent.run(60)
        assert agent.list.selected is near
        agent.works.discard(near)
        agent.run(60 + 1)
        assert agent.list.selected is far
        agent.works.add(near)
        agent.run(61 + STEADY_S / 2)
        assert agent.list.selected is far
        agent.run(61 + LONGEST_RTO_S + STEADY_S + 1)
        assert agent.list.selected is near

    def test_when_all_are_silent_it_stays_and_the_first_back_takes_over(self):
        near, far = direct(), relayed()
        agent = Agent(near, far)
        agent.works = {near, far}
        agent.run(60)
        agent.works.clear()
        agent.run(65)
        assert agent.list.selected is near
        agent.works = {far}
        agent.run(65 + OFTEN_S + RTO_S * 8)
        assert agent.list.selected is far

    def test_a_long_round_trip_is_not_a_death(self):
        near, far = direct(), relayed()
        agent = Agent(near, far, round_trip_s=0.8)
        agent.works = {near, far}
        agent.run(60)
        assert not near.was_dead
        assert agent.list.selected is near

    def test_a_pair_that_is_removed_is_not_sent_on(self):
        near, far = direct(), relayed()
        agent = Agent(near, far)
        agent.works = {near, far}
        agent.run(1)
        agent.list.remove(near, 1.0)
        assert [*agent.list.sent_on(1.0)] == [far]
        agent.list.remove(far, 1.0)
        assert [*agent.list.sent_on(1.0)] == []

    def test_consent_expires(self):
        near = direct()
        agent = Agent(near)
        assert not agent.list.is_lost(1000.0)
        agent.works = {near}
        agent.run(60)
        agent.works.clear()
        agent.run(60 + CONSENT_S - SELECTED_S)
        assert not agent.list.is_lost(agent.now_s)
        assert agent.list.is_lost(60 + CONSENT_S)


class TestNomination:
    def nominations(self, agent, pair):
        return [at_s for at_s, check in agent.sent if check.nominates and check.pair is pair]

    def test_a_direct_pair_is_nominated_at_once(self):
        near = direct()
        agent = Agent(near)
        agent.works = {near}
        agent.run(TA_S)
        assert self.nominations(agent, near)[0] < TA_S

    def test_a_relayed_pair_after_the_head_start(self):
        far = relayed()
        agent = Agent(far, direct())
        agent.works = {far}
        agent.run(5)
        assert self.nominations(agent, far)[0] == pytest.approx(HEAD_START_S, abs=2 * TA_S)

    def test_a_later_direct_pair_is_nominated_too(self):
        far, near = relayed(), direct()
        agent = Agent(far, near)
        agent.works = {far}
        agent.run(5)
        agent.works.add(near)
        agent.run(5 + LONGEST_RTO_S)
        assert self.nominations(agent, near)

    def test_the_controlled_end_nominates_none_and_follows_among_those_of_one_kind(self):
        one, two, far = direct(2), direct(1), relayed()
        agent = Agent(one, two, far, controls=False)
        agent.works = {one, two, far}
        agent.run(5)
        assert agent.list.selected is one
        agent.list.trigger(two, 5.0)
        agent.list.nominate(two, 5.0)
        agent.run(5.1)
        assert agent.list.selected is two
        agent.list.nominate(far, 5.1)
        assert agent.list.selected is two
        assert not any(check.nominates for _, check in agent.sent)


@dataclass
class Path:
    """A path between two ends; each direction works at some times."""

    relayed: bool
    delay_s: float
    works: list  # per direction, the seconds in which it does


class World:
    """Two checklists, a media stream both ways, and the paths between them."""

    def __init__(self, paths):
        self.paths, self.now_s = paths, 0.0
        self.ends = [Checklist(True), Checklist(False)]
        self.pairs = [[PairState(p.relayed, n) for n, p in enumerate(paths)] for _ in self.ends]
        for end, pairs in zip(self.ends, self.pairs, strict=True):
            for pair in pairs:
                end.add(pair)
        self._queue, self._numbers = [], itertools.count()
        self.late = []
        for side in range(2):
            self.at(0.0, self.play, side)

    def at(self, delay_s, happening, *arguments):
        heapq.heappush(
            self._queue, (self.now_s + delay_s, next(self._numbers), happening, arguments)
        )

    def carry(self, side, number, happening, *arguments):
        path = self.paths[number]
        if self.works(side, number):
            self.at(path.delay_s, happening, *arguments)

    def works(self, side, number):
        return int(self.now_s) not in self.paths[number].works[side]

    def play(self, side):
        for pair in self.ends[side].sent_on(self.now_s):
            number = self.pairs[side].index(pair)
            self.carry(side, number, self.hear, 1 - side, number)
        self.at(0.05, self.play, side)

    def hear(self, side, number):
        self.ends[side].hear(self.pairs[side][number], self.now_s)

    def request(self, side, number, check):
        other = 1 - side
        self.carry(other, number, self.answer, side, check, self.now_s)
        self.ends[other].trigger(self.pairs[other][number], self.now_s)
        if check.nominates:
            self.ends[other].nominate(self.pairs[other][number], self.now_s)

    def answer(self, side, check, _):
        number = self.pairs[side].index(check.pair)
        assert self.ends[side].selected is None or self.ends[side].selected.is_valid
        self.ends[side].answer(check, 2 * self.paths[number].delay_s, self.now_s)

    def run(self, until_s):
        while True:
            due_s, side = min(
                (max(end.due_s(self.now_s), self.now_s), n) for n, end in enumerate(self.ends)
            )
            if self._queue and self._queue[0][0] <= due_s:
                self.now_s, _, happening, arguments = heapq.heappop(self._queue)
                if self.now_s > until_s:
                    return
                happening(*arguments)
            else:
                self.now_s = max(due_s, math.nextafter(self.now_s, math.inf))
                if self.now_s > until_s:
                    return
                for check in self.ends[side].due(self.now_s):
                    number = self.pairs[side].index(check.pair)
                    self.carry(side, number, self.request, side, number, check)


SECONDS = st.sets(st.integers(0, 19), max_size=12)
PATHS = st.lists(
    st.builds(
        lambda relayed, delay_s, out, back: Path(relayed, delay_s, [out, back]),
        st.booleans(),
        st.sampled_from([0.001, 0.02, 0.1, 0.3]),
        SECONDS,
        SECONDS,
    ),
    min_size=1,
    max_size=5,
)


@examples(80)
@given(PATHS)
def test_two_ends_send_over_what_works_soon_after_the_last_fault(paths):
    """All faults end after 20 s; then both ends send on a path of the best kind there is."""
    world = World(paths)
    world.run(20 + LONGEST_RTO_S + STEADY_S + 5)
    for end in world.ends:
        assert end.selected is not None
        assert end.selected.is_alive(world.now_s)
        assert end.selected.is_relayed == all(path.relayed for path in paths)


@examples(40)
@given(PATHS, st.integers(0, 4), st.integers(25, 30))
def test_a_dead_path_is_left_within_a_second_or_two(paths, which, at_s):
    """When one path dies for good, both ends are on another; a second more for long round trips."""
    world = World(paths)
    dying = paths[which % len(paths)]
    for direction in dying.works:
        direction.update(range(at_s + 20, 200))
    world.run(at_s + 20 + DEAD_S + 2.5)
    for side, end in enumerate(world.ends):
        number = world.pairs[side].index(end.selected)
        assert len(paths) == 1 or paths[number] is not dying


@examples(40)
@given(PATHS)
def test_checks_are_few(paths):
    """What is not in use is paced; what is in use is checked a few times a second at most."""
    world = World(paths)
    sent = [[], []]
    for side, end in enumerate(world.ends):
        stock = end.due
        end.due = lambda now_s, side=side, stock=stock: [
            sent[side].append(now_s) or check for check in stock(now_s)
        ]
    world.run(30)
    for times_s in sent:
        for since_s in range(30):
            count = sum(since_s <= at_s < since_s + 1 for at_s in times_s)
            assert count <= 1 / TA_S + 3 * (1 / OFTEN_S + 2)


def test_the_path_is_what_the_selected_pair_is():
    pair, other = direct(), relayed()
    agent = Agent(pair, other)
    assert agent.list.path(0.0) is PathState.LOST
    agent.works = {other}
    agent.run(1.0)
    assert agent.list.path(1.0) is PathState.RELAYED
    agent.works = {pair, other}
    agent.run(20.0)
    assert agent.list.path(20.0) is PathState.DIRECT
    assert agent.list.path(20.0 + OFTEN_S + SILENCE_S) is PathState.QUIET
    agent.works = set()
    agent.run(25.0)
    assert agent.list.path(25.0) is PathState.LOST


def test_when_the_last_pair_that_works_is_removed_the_others_are_checked_anew_at_once():
    """As when a TURN server closes its connection."""
    gone, others = relayed(5), [direct(priority) for priority in range(3)]
    agent = Agent(gone, *others)
    agent.works = {gone}
    agent.run(20.0)
    agent.list.remove(gone, 20.0)
    assert agent.list.path(20.0) is PathState.LOST
    agent.works = {others[0]}
    agent.run(20.0 + 4 * TA_S)
    assert agent.list.selected is others[0]


def test_pairs_that_come_while_an_answer_is_overdue_are_checked_at_once():
    """As those of another address of this machine, before the old pair is known to be dead."""
    old, spare, new = direct(), relayed(), direct(50)
    agent = Agent(old, spare)
    agent.works = {old, spare}
    agent.run(20.0)
    agent.works = {new}
    agent.run(20.0 + SILENCE_S + 1.5 * OFTEN_S)
    assert agent.list.is_doubtful(agent.now_s)
    agent.list.add(new)
    agent.run(agent.now_s + 2 * TA_S)
    assert new.is_valid


def test_of_many_pairs_each_is_checked_before_any_twice():
    pairs = [relayed(priority) for priority in range(90)] + [direct()]
    agent = Agent(*pairs)
    agent.run(len(pairs) * TA_S + RTO_S)
    assert min(pair.tries for pair in pairs) >= 1
    agent.works = {pairs[0]}
    agent.run(agent.now_s + len(pairs) * TA_S + SEEKING_RTO_S)
    assert agent.list.selected is pairs[0]
