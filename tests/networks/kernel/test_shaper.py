"""The shaper against the departure times of its link model."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.kernel.shaper import KEPT, Shaper, quantile
from jamlab.networks.model.link import HOLD_BACK_S, Link, LinkConfig

CONFIGS = st.builds(
    LinkConfig,
    delay_s=st.floats(0, 0.1),
    jitter_s=st.floats(0, 0.1),
    loss=st.floats(0, 0.5),
    reordering=st.floats(0, 1),
    duplication=st.floats(0, 1),
    rate_bit_s=st.none() | st.floats(1e4, 1e9),
    queue_s=st.floats(0, 0.1),
)
PACKETS = st.lists(st.tuples(st.floats(0, 0.05), st.integers(1, 1500)), min_size=1, max_size=60)


def shaper(seed=1, **values):
    return Shaper(LinkConfig(**values), random.Random(seed))


def packet(number, size=100):
    return number.to_bytes(4, "big").ljust(size, b"\0")


class TestLeaving:
    def test_takes_as_long_as_the_link_does_and_no_less(self):
        line = shaper(delay_s=0.02)
        line.enter(b"packet", 1.0)
        assert line.next_s == 1.02
        assert list(line.leaving(1.0199)) == []
        assert list(line.leaving(1.02)) == [b"packet"]
        assert line.next_s == math.inf
        assert list(line.leaving(2.0)) == []

    def test_keeps_the_order_of_those_that_leave_together(self):
        line = shaper()
        sent = [packet(n) for n in reversed(range(50))]
        for each in sent:
            line.enter(each, 3.0)
        assert list(line.leaving(3.0)) == sent

    def test_yields_copies(self):
        line = shaper(duplication=1)
        line.enter(b"twice", 0.0)
        assert list(line.leaving(0.0)) == [b"twice", b"twice"]

    def test_lets_the_next_overtake_one_that_is_held_back(self):
        seed = next(s for s in range(99) if [random.Random(s).random() < 0.5] == [True])
        line = shaper(seed, reordering=0.5)
        line.enter(b"first", 0.0)
        assert line.next_s == HOLD_BACK_S
        while not line.report().sent - line.report().reordered:
            line.enter(b"next", 0.001)
        assert list(line.leaving(0.001)) == [b"next"]

    @given(CONFIGS, PACKETS, st.integers(0, 2**32))
    def test_is_when_the_link_says(self, config, packets, seed):
        """Whatever is asked for in between: the same packets at the same times, none early."""
        truth, line = Link(config, random.Random(seed)), Shaper(config, random.Random(seed))
        now_s, expected, left = 0.0, [], []
        for number, (gap_s, size) in enumerate(packets):
            now_s += gap_s
            left += [(now_s, each) for each in line.leaving(now_s)]
            line.enter(packet(number, size), now_s)
            size_bytes = max(size, 4)
            expected += [(at_s, number) for at_s in truth.transit(size_bytes, now_s)]
        while line.next_s < math.inf:
            now_s = max(now_s, line.next_s)
            left += [(now_s, each) for each in line.leaving(now_s)]
        numbers = [int.from_bytes(each[:4], "big") for _, each in left]
        assert numbers == [number for _, number in sorted(expected, key=lambda one: one[0])]
        due_s = sorted(at_s for at_s, _ in expected)
        assert all(at_s >= due for (at_s, _), due in zip(left, due_s, strict=True))


class TestReport:
    def test_counts_what_the_link_counts(self):
        config = LinkConfig(loss=0.3, duplication=0.2, reordering=0.1, rate_bit_s=8e4, queue_s=0.05)
        truth, line = Link(config, random.Random(5)), Shaper(config, random.Random(5))
        for k in range(1000):
            truth.transit(100, k * 0.008)
            line.enter(packet(k), k * 0.008)
        report = line.report()
        for name in ("sent", "lost", "dropped", "duplicated", "reordered"):
            assert getattr(report, name) == getattr(truth, name), name
        assert min(report.lost, report.dropped, report.duplicated, report.reordered) > 0

    def test_says_how_late_packets_were(self):
        line = shaper(delay_s=1.0)
        for k in range(100):
            line.enter(packet(k), float(k))
            list(line.leaving(k + 1.0 + k / 1000))
        report = line.report()
        assert report.late_median_s == pytest.approx(0.049)
        assert report.late_p99_s == pytest.approx(0.098)
        assert report.late_max_s == pytest.approx(0.099)

    def test_without_packets_knows_no_lateness(self):
        report = shaper().report()
        assert report.sent == 0
        assert math.isnan(report.late_median_s)
        assert math.isnan(report.late_max_s)

    def test_forgets_the_lateness_of_long_ago(self):
        line = shaper()
        line.enter(b"first", 0.0)
        list(line.leaving(5.0))
        for k in range(KEPT):
            line.enter(b"later", 5.0 + k)
            list(line.leaving(5.0 + k))
        assert line.report().late_max_s == 0.0


class TestQuantile:
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.001, 1))
    def test_is_the_least_value_with_that_share_at_or_below_it(self, values, share):
        found = quantile(sorted(values), share)
        assert found in values
        assert sum(v <= found for v in values) >= share * len(values) - 1e-6
        assert sum(v < found for v in values) < share * len(values) + 1e-6
