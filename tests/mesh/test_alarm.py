"""The alarm for high latency: when it is raised and when it is cleared."""

from itertools import pairwise, takewhile

import hypothesis.strategies as st
from hypothesis import given

from jamlab.mesh.alarm import HIGH_LATENCY_S, NORMAL_LATENCY_S, LatencyAlarm, RelayAlarm
from jamlab.mesh.notices import NoticeKind

HIGH, NORMAL = NoticeKind.HIGH_LATENCY, NoticeKind.NORMAL_LATENCY
RAISE_AFTER_S, CLEAR_AFTER_S = 2.0, 5.0


def told(samples, every_s=1.0):
    """What a user is told, and when, of samples so many seconds apart."""
    alarm = LatencyAlarm(raise_after_s=RAISE_AFTER_S, clear_after_s=CLEAR_AFTER_S)
    kinds = [(n * every_s, alarm.observe(s, n * every_s)) for n, s in enumerate(samples)]
    return [(at_s, kind) for at_s, kind in kinds if kind is not None]


class TestExamples:
    def test_high_is_what_the_product_calls_high(self):
        assert HIGH_LATENCY_S == 0.100
        assert told([0.100] * 20) == []
        assert told([0.101] * 20) == [(2.0, HIGH)]

    def test_a_few_samples_are_no_news(self):
        assert told([0.2, 0.2, 0.05] * 10) == []

    def test_it_is_over_when_it_has_been_below_for_a_while(self):
        assert told([0.2] * 4 + [0.05] * 20) == [(2.0, HIGH), (9.0, NORMAL)]

    def test_between_the_thresholds_nothing_changes(self):
        assert told([0.095] * 20) == []
        assert told([0.2] * 4 + [0.095] * 20) == [(2.0, HIGH)]

    def test_the_lower_threshold_itself_is_not_below_it(self):
        assert NORMAL_LATENCY_S == 0.090
        assert told([0.2] * 4 + [0.090] * 20) == [(2.0, HIGH)]

    def test_a_relapse_begins_the_wait_anew(self):
        assert told([0.2] * 3 + [0.05] * 4 + [0.095] + [0.05] * 10) == [(2.0, HIGH), (13.0, NORMAL)]

    def test_what_is_not_known_is_neither_high_nor_normal(self):
        assert told([None] * 20) == []
        assert told([0.2, 0.2, None] * 10) == []
        assert told([0.2] * 3 + [None] * 20) == [(2.0, HIGH)]
        assert told([0.2] * 3 + [None] * 20 + [0.05] * 6) == [(2.0, HIGH), (28.0, NORMAL)]

    def test_it_can_come_again(self):
        kinds = [kind for _, kind in told(([0.2] * 4 + [0.05] * 8) * 3)]
        assert kinds == [HIGH, NORMAL] * 3


latencies = st.none() | st.floats(0, 0.3) | st.sampled_from([0.09, 0.1, 0.1000001, 0.0899999])
series = st.lists(st.tuples(st.floats(0, 3), latencies), max_size=300)


def differs(kind, one_way_s):
    """Whether a sample is a cause to tell a user of that kind."""
    return one_way_s is not None and (one_way_s > 0.1 if kind is HIGH else one_way_s < 0.09)


@given(series)
def test_whatever_the_latency_does(steps):
    """Told in turn, with cause, and never more often than once in seven seconds."""
    alarm = LatencyAlarm(raise_after_s=RAISE_AFTER_S, clear_after_s=CLEAR_AFTER_S)
    now_s, samples, notices = 0.0, [], []
    for step_s, one_way_s in steps:
        now_s += step_s
        samples.append((now_s, one_way_s))
        kind = alarm.observe(one_way_s, now_s)
        if kind is not None:
            notices.append((now_s, kind))
            causes = [*takewhile(lambda sample, k=kind: differs(k, sample[1]), samples[::-1])]
            lasted_s = RAISE_AFTER_S if kind is HIGH else CLEAR_AFTER_S
            assert now_s - causes[-1][0] >= lasted_s
        assert alarm.raised is (bool(notices) and notices[-1][1] is HIGH)
    assert [kind for _, kind in notices] == ([HIGH, NORMAL] * len(notices))[: len(notices)]
    raised_s = [at_s for at_s, kind in notices if kind is HIGH]
    least_s = RAISE_AFTER_S + CLEAR_AFTER_S - 1e-9
    assert all(later - earlier >= least_s for earlier, later in pairwise(raised_s))


@given(st.lists(st.floats(0.1001, 0.3), min_size=3, max_size=50))
def test_what_stays_high_is_told_once_and_no_later_than_the_third_sample(samples):
    assert told(samples) == [(2.0, HIGH)]


class TestRelayAlarm:
    def told(self, *routes):
        """Return the seconds in which something is told of a route of each second."""
        alarm = RelayAlarm(raise_after_s=5.0)
        told = [(now_s, alarm.observe(route, now_s)) for now_s, route in enumerate(routes)]
        return [(now_s, kind) for now_s, kind in told if kind]

    def test_a_relay_at_the_beginning_is_not_told_of(self):
        assert self.told(*[True] * 5, *[False] * 10) == []

    def test_one_that_stays_is_told_of_once_and_when_it_is_over(self):
        routes = [True] * 10 + [False] * 5
        assert self.told(*routes) == [(5, NoticeKind.RELAYING), (10, NoticeKind.RESTORED)]

    def test_what_is_not_known_changes_nothing(self):
        assert self.told(True, *[None] * 8, True) == [(9, NoticeKind.RELAYING)]
