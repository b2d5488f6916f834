"""Links against queueing arithmetic, and against their documented distributions."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from jamlab.networks.model.delivery import DeliveryTrace
from jamlab.networks.model.link import HOLD_BACK_S, Link, LinkConfig
from jamlab.networks.model.trace import DelayTrace
from tests.examples import examples

SIGMAS = 5
"""How far an estimate may be from its truth, in standard errors: one seed in two million."""


class Untouchable(random.Random):
    """A source of randomness nobody may ask."""

    def random(self):
        raise AssertionError("randomness was asked for")


def link(seed=1, **values):
    return Link(LinkConfig(**values), random.Random(seed))


def outcomes(link, n, every_s=1.0, size_bytes=100):
    """Return what becomes of packets sent at a constant rate."""
    return [link.transit(size_bytes, k * every_s) for k in range(n)]


def delays_s(link, n, every_s):
    """Return the delay of each packet sent at a constant rate, none of them lost."""
    return np.array([out[0] - k * every_s for k, out in enumerate(outcomes(link, n, every_s))])


def losses(link, n):
    return np.array([not out for out in outcomes(link, n)])


def bursts(lost):
    """Return the lengths of the bursts of losses."""
    return np.array([sum(1 for _ in run) for bad, run in itertools.groupby(lost) if bad])


def assert_share(count, n, share):
    """Assert that a count is one that independent events of that probability have."""
    assert abs(count - n * share) <= SIGMAS * math.sqrt(n * share * (1 - share))


class TestConfig:
    @pytest.mark.parametrize("name", ["delay_s", "jitter_s", "queue_s"])
    @pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf, "1", None, True])
    def test_refuses_what_is_no_time(self, name, value):
        with pytest.raises(ValueError, match=rf"^{name} of a link is {value!r}: .*0 or more$"):
            LinkConfig(**{name: value})

    @pytest.mark.parametrize("name", ["loss", "reordering", "duplication"])
    @pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, "0", None, False])
    def test_refuses_what_is_no_share(self, name, value):
        with pytest.raises(ValueError, match=rf"^{name} of a link is {value!r}: .*from 0 to 1$"):
            LinkConfig(**{name: value})

    @pytest.mark.parametrize("value", [0, -1.0, 5e-324, math.nan, math.inf, "1"])
    def test_refuses_what_is_no_rate(self, value):
        with pytest.raises(ValueError, match=rf"^rate_bit_s .* {value!r}: .*1 or more, or None$"):
            LinkConfig(rate_bit_s=value)

    @pytest.mark.parametrize("value", [0, 0.99, math.nan, math.inf, None])
    def test_refuses_what_is_no_length(self, value):
        with pytest.raises(ValueError, match=rf"^burst_packets .* {value!r}: .*1 or more$"):
            LinkConfig(burst_packets=value)

    @pytest.mark.parametrize(
        ("loss", "burst", "wanted"), [(0.8, 3, "1, or 4 or more"), (1, 9, "1,")]
    )
    def test_refuses_bursts_too_short_for_the_loss(self, loss, burst, wanted):
        """Of every burst + 1 packets at least one arrives."""
        with pytest.raises(ValueError, match=f"^burst_packets .* is {burst} and .*: give {wanted}"):
            LinkConfig(loss=loss, burst_packets=burst)

    def test_takes_the_shortest_bursts(self):
        lost = losses(link(loss=0.8, burst_packets=4), 5000)
        assert not any(not a and not b for a, b in itertools.pairwise(lost))
        assert LinkConfig(loss=1).loss == 1


class TestMemoryless:
    @pytest.mark.parametrize("delay_s", [0.0, 0.25])
    def test_only_delays(self, delay_s):
        link = Link(LinkConfig(delay_s=delay_s), Untouchable())
        assert link.memoryless
        sent_s = [3.0, 1.0, 2.0]
        assert [link.delayed(now_s) for now_s in sent_s] == [now_s + delay_s for now_s in sent_s]
        assert link.sent == 3

    @pytest.mark.parametrize(
        "name", ["jitter_s", "loss", "reordering", "duplication", "rate_bit_s"]
    )
    def test_is_nothing_else(self, name):
        assert not link(**{name: 1}).memoryless

    @pytest.mark.parametrize("values", [{"burst_packets": 4}, {"queue_s": 1}])
    def test_is_so_whatever_says_how_to_lose_nothing(self, values):
        assert link(**values).memoryless


class TestLoss:
    @pytest.mark.parametrize("loss", [0.001, 0.05, 0.5])
    def test_is_independent_without_bursts(self, loss):
        """Of independent losses, runs last 1/(1 - loss) in the mean."""
        n = 50_000
        line = link(loss=loss)
        lost = losses(line, n)
        assert_share(lost.sum(), n, loss)
        assert_share((lost[1:] & lost[:-1]).sum(), n, loss**2)
        assert line.lost == lost.sum()

    @pytest.mark.parametrize(("loss", "burst"), [(0.02, 1.5), (0.05, 4), (0.3, 10)])
    def test_comes_in_bursts(self, loss, burst):
        """The mean length is that of a geometric distribution; the share has the chain's error.

        The second eigenvalue of Gilbert's chain is 1 - p - r, which makes the variance of a mean
        (2 - p - r) / (p + r) times that of independent losses.
        """
        n = 200_000
        lost = losses(link(loss=loss, burst_packets=burst), n)
        p_plus_r = 1 / burst / (1 - loss)
        variance = loss * (1 - loss) / n * (2 - p_plus_r) / p_plus_r
        assert abs(lost.mean() - loss) < SIGMAS * math.sqrt(variance)
        lengths = bursts(lost)
        error = math.sqrt(burst * (burst - 1) / len(lengths))
        assert abs(lengths.mean() - burst) < SIGMAS * error
        assert_share((lengths == 1).sum(), len(lengths), 1 / burst)

    def test_may_have_begun_before(self):
        """The first packet is lost as often as any other."""
        first = sum(not link(seed, loss=0.2, burst_packets=5).transit(1, 0) for seed in range(4000))
        assert_share(first, 4000, 0.2)

    def test_of_everything_or_nothing(self):
        assert losses(link(loss=1), 100).all()
        assert not losses(link(loss=0, jitter_s=0.1), 100).any()

    def test_spares_who_is_spared(self):
        line = link(loss=1, rate_bit_s=8000, queue_s=0)
        assert line.transit(1000, 0.0, spared=True) == (1.0,)
        assert line.transit(1000, 0.0, spared=True) == (2.0,)
        assert line.transit(1000, 5.0) == ()
        assert line.transit(1000, 5.0) == ()
        assert (line.sent, line.lost, line.dropped) == (4, 1, 1)

    def test_others_do_not_notice_the_spared(self):
        mixed, alone = (link(loss=0.3, burst_packets=3) for _ in range(2))
        spared = [k % 3 == 0 for k in range(300)]
        among = [mixed.transit(1, k, spared=spared[k]) for k in range(300)]
        expected = outcomes(alone, 300)
        assert all(among[k] == expected[k] for k in range(300) if not spared[k])


class TestRate:
    def test_below_the_rate_nobody_waits(self):
        """1000 bytes at 1 Mbit/s take 8 ms."""
        line = link(delay_s=0.05, rate_bit_s=1e6)
        seen = [line.transit(1000, k * 0.01)[0] - k * 0.01 for k in range(100)]
        assert seen == pytest.approx([0.058] * 100)

    def test_above_the_rate_the_queue_fills_and_drops(self):
        """1000 bytes every 6 ms at 1 Mbit/s: each waits 2 ms more, and over 101 is too long."""
        line = link(delay_s=0.05, rate_bit_s=1e6, queue_s=0.101)
        n = 4000
        out = [line.transit(1000, k * 0.006) for k in range(n)]
        assert [bool(leaves) for leaves in out].index(False) == 51
        leaves_s = np.array([leaves[0] for leaves in out if leaves])
        assert leaves_s[0] == pytest.approx(0.058)
        assert np.diff(leaves_s) == pytest.approx(0.008)
        waits = [leaves[0] - 0.058 - k * 0.006 for k, leaves in enumerate(out) if leaves]
        assert max(waits) == pytest.approx(0.1)
        assert line.dropped == n - len(leaves_s) == pytest.approx(n * (1 - 6 / 8), abs=14)

    def test_a_pause_empties_the_queue(self):
        line = link(rate_bit_s=8000)
        assert [line.transit(100, 0.0)[0] for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
        assert line.transit(100, 10.0) == pytest.approx((10.1,))

    def test_what_is_lost_on_the_way_was_sent(self):
        """It takes its time on the wire; what the queue drops does not."""
        line = link(rate_bit_s=8000, queue_s=0.15, loss=1)
        assert [line.transit(100, 0.0) for _ in range(4)] == [()] * 4
        assert (line.lost, line.dropped) == (2, 2)


class TestJitter:
    def test_is_exponential_on_top_of_the_delay(self):
        """Sent so rarely that none waits for another."""
        extra = delays_s(link(delay_s=0.1, jitter_s=0.01), 20_000, 1.0) - 0.1
        assert abs(extra.mean() - 0.01) < SIGMAS * 0.01 / math.sqrt(len(extra))
        assert extra.min() > -1e-9
        assert stats.kstest(extra, "expon", args=(0, 0.01)).pvalue > 1e-4

    @pytest.mark.parametrize("every", [0.5, 1, 3])
    def test_adds_up_where_packets_are_close(self, every):
        """The largest of X_k - kT is below x with probability Π (1 - exp(-(x + kT)))."""

        def above(x):
            return 1 - math.prod(1 - math.exp(-(x + k * every)) for k in range(int(40 / every)))

        mean = integrate.quad(above, 0, 40)[0]
        assert delays_s(link(jitter_s=1.0), 100_000, every).mean() == pytest.approx(mean, rel=0.03)

    @examples(200)
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "delay_s": st.floats(0, 1),
                "jitter_s": st.floats(0, 1),
                "loss": st.floats(0, 0.5),
                "burst_packets": st.floats(1, 10),
                "duplication": st.floats(0, 1),
                "rate_bit_s": st.floats(1e3, 1e9),
                "queue_s": st.floats(0, 1),
            },
        ),
        st.lists(
            st.tuples(st.floats(0, 0.1), st.integers(1, 1500), st.booleans()),
            min_size=1,
            max_size=60,
        ),
        st.integers(0, 2**32),
    )
    def test_keeps_the_order(self, values, packets, seed):
        line = link(seed, **values)
        now_s, latest_s, out = 0.0, 0.0, []
        for since_s, size_bytes, spared in packets:
            now_s += since_s
            leaves_s = line.transit(size_bytes, now_s, spared)
            assert leaves_s or not spared
            for time_s in leaves_s:
                bits_s = 8 * size_bytes / values.get("rate_bit_s", math.inf)
                assert time_s >= now_s + bits_s + values.get("delay_s", 0) - 1e-9
                assert time_s >= latest_s
                latest_s = time_s
            out.append(len(leaves_s))
        assert line.sent == len(packets)
        assert line.lost + line.dropped == out.count(0)
        assert line.duplicated == out.count(2)
        assert line.reordered == 0


class TestReordering:
    def test_lets_the_next_overtake(self):
        """Of two neighbours, the first is held back and the second is not: q (1 - q)."""
        n, share = 20_000, 0.1
        line = link(delay_s=0.03, reordering=share)
        seen = delays_s(line, n, 0.02)
        held = seen > 0.03 + HOLD_BACK_S / 2
        assert seen[held] == pytest.approx(0.03 + HOLD_BACK_S)
        assert seen[~held] == pytest.approx(0.03)
        assert_share(held.sum(), n, share)
        assert line.reordered == held.sum()
        overtakes = np.diff(seen + 0.02 * np.arange(n)) < 0
        assert (overtakes == (held[:-1] & ~held[1:])).all()
        assert overtakes.mean() == pytest.approx(share * (1 - share), rel=0.1)

    def test_of_everything_reorders_nothing(self):
        assert delays_s(link(reordering=1), 100, 0.02) == pytest.approx(HOLD_BACK_S)

    def test_leaves_the_others_in_order(self):
        line = link(reordering=0.2, jitter_s=0.05)
        latest_s, held = 0.0, 0
        for k in range(2000):
            (leaves_s,), before = line.transit(100, k * 0.01), held
            held = line.reordered
            if held == before:
                assert leaves_s >= latest_s
                latest_s = leaves_s


class TestDuplication:
    @pytest.mark.parametrize("share", [0.01, 0.5, 1])
    def test_happens_as_often_as_asked(self, share):
        line = link(duplication=share, delay_s=0.1)
        out = outcomes(line, 10_000)
        twice = sum(leaves == (k + 0.1, k + 0.1) for k, leaves in enumerate(out))
        assert_share(twice, 10_000, share)
        assert twice + sum(len(leaves) == 1 for leaves in out) == 10_000
        assert line.duplicated == twice


class TestSeed:
    CONFIG = LinkConfig(0.01, 0.02, 0.1, 3.0, 0.1, 0.1, 1e5, 0.1)

    def test_the_same_gives_the_same_times(self):
        first, again, other = (
            outcomes(Link(self.CONFIG, random.Random(seed)), 500, 0.01) for seed in (7, 7, 8)
        )
        assert first == again != other


class TestTrace:
    """A link that replays: what it adds to the trace, and what it leaves to it."""

    DELAYS = DelayTrace(
        "test",
        np.arange(100) / 100,
        np.array(
            [math.nan if k == 60 else (0.3 - k / 100 if k < 25 else 0.02) for k in range(100)]
        ),
    )

    def test_adds_its_delay(self):
        replaying = link(trace=self.DELAYS, delay_s=0.5)
        alone = self.DELAYS.replay(random.Random(1))
        assert not replaying.memoryless
        for k in range(500):
            expected = alone.leaves_s(100, k / 100)
            assert replaying.transit(100, k / 100) == (
                () if expected is None else pytest.approx((expected + 0.5,))
            )
        assert (replaying.sent, replaying.lost, replaying.dropped) == (500, 5, 0)

    def test_keeps_the_order_of_the_trace(self):
        """Every third packet is overtaken by the next one."""
        swapped = DelayTrace("swapped", np.arange(99) / 100, np.array([0.05, 0.01, 0.01] * 33))
        replaying = link(trace=swapped)
        leaves_s = [replaying.transit(100, k / 100)[0] for k in range(99)]
        assert (np.diff(leaves_s) < 0).sum() >= 30

    def test_loses_on_top_of_the_trace(self):
        replaying = link(trace=self.DELAYS, loss=0.5)
        assert_share(losses(replaying, 20_000).sum(), 20_000, 1 - 0.5)

    def test_is_limited_by_rate_before_the_trace(self):
        """10 kB/s: the second packet is on the wire 100 ms after the first."""
        even = DelayTrace("even", np.arange(100) / 10, np.full(100, 0.01))
        replaying = link(trace=even, rate_bit_s=80_000.0)
        assert replaying.transit(1000, 0.0) == pytest.approx((0.11,))
        assert replaying.transit(1000, 0.0) == pytest.approx((0.21,))

    def test_counts_what_a_traces_queue_drops(self):
        narrow = DeliveryTrace("narrow", np.array([1.0]), queue_bytes=1500)
        replaying = link(trace=narrow)
        assert [len(replaying.transit(1000, 0.0)) for _ in range(3)] == [1, 0, 0]
        assert (replaying.lost, replaying.dropped) == (0, 2)

    def test_directions_begin_at_different_times(self):
        rng = random.Random(1)
        both = [Link(LinkConfig(trace=self.DELAYS), rng) for _ in range(2)]
        first, second = ([one.transit(100, k / 100) for k in range(100)] for one in both)
        assert first != second

    def test_is_replayed_once_on_the_way_up(self):
        config = LinkConfig(trace=self.DELAYS, trace_once=True, delay_s=0.5)
        assert config.downwards == LinkConfig(trace_once=True, delay_s=0.5)
        assert LinkConfig(trace=self.DELAYS).downwards.trace is self.DELAYS

    def test_refuses_jitter_besides(self):
        with pytest.raises(ValueError, match=r"^jitter_s of a link is 0\.1 .*give one of the two$"):
            LinkConfig(trace=self.DELAYS, jitter_s=0.1)
