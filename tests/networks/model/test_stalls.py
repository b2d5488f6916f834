"""The stall model against stalls put in by hand, and its fit against the figures of a model."""

import tomllib
from dataclasses import replace

import numpy as np
import pytest

from jamlab.networks.model.stalls import (
    LASTS_S,
    SHARES,
    STALL_S,
    StallModel,
    fit,
    model_of,
    shipped_stalls,
    stalls_of,
    toml_of,
)
from jamlab.networks.model.trace import DelayTrace

MODEL = StallModel(
    "test",
    every_s=0.010,
    jitter_s=tuple(0.010 * share for share in SHARES),
    correlation=0.8,
    stalls_per_minute=12.0,
    irregularity=0.5,
    length_s=tuple(0.1 + 0.4 * share for share in SHARES),
)


def made(model=MODEL, lasts_s=1200.0, seed=1):
    return model.trace(np.random.default_rng(seed), lasts_s)


def with_stalls(*stalls, lasts_s=60.0):
    """Return a trace of an even network that stalls, from and for so many seconds."""
    sent_s = np.arange(0, lasts_s, 0.01)
    delay_s = np.full(len(sent_s), 0.003)
    for begin_s, length_s in stalls:
        within = (sent_s >= begin_s - 1e-9) & (sent_s < begin_s + length_s - 1e-9)
        delay_s[within] += begin_s + length_s - sent_s[within]
    return DelayTrace("test", sent_s, delay_s)


class TestStallsOf:
    def test_finds_those_put_in(self):
        begin_s, length_s = stalls_of(with_stalls((3.0, 0.25), (10.0, 1.0), (11.5, 0.05)))
        assert begin_s == pytest.approx([3.0, 10.0, 11.5])
        assert length_s == pytest.approx([0.25, 1.0, 0.05])

    def test_takes_no_jitter_for_one(self):
        assert len(stalls_of(made(replace(MODEL, stalls_per_minute=0.0)))[0]) == 0


class TestTrace:
    def test_ordinary_delays_have_the_quantiles(self):
        trace = made(replace(MODEL, stalls_per_minute=0.0, correlation=0.0), 300.0)
        kept = trace.delay_s < STALL_S
        assert kept.all()
        assert np.quantile(trace.delay_s, SHARES) == pytest.approx(MODEL.jitter_s, abs=2e-4)

    def test_stalls_have_the_rate_and_the_lengths(self):
        """A sixth of an hour has 240 of them; the first packet of one comes up to 10 ms late."""
        begin_s, length_s = stalls_of(made())
        assert len(begin_s) == pytest.approx(240, abs=5 * 0.5 * np.sqrt(240))
        assert np.median(length_s) == pytest.approx(0.3, abs=0.05)
        assert 0.08 < length_s.min() < length_s.max() < 0.52

    def test_a_stall_ends_for_all_at_once(self):
        trace = made(replace(MODEL, jitter_s=(0.0,) * len(SHARES)))
        arrivals_s = trace.sent_s + trace.delay_s
        waiting = trace.delay_s > 0.005
        ends_s = np.unique(arrivals_s[waiting].round(6))
        assert len(ends_s) == len(stalls_of(trace)[0])

    def test_keeps_the_order(self):
        trace = made()
        assert (np.diff(trace.sent_s + trace.delay_s) >= -1e-12).all()

    def test_is_the_same_for_the_same_seed(self):
        assert np.array_equal(made(lasts_s=60.0).delay_s, made(lasts_s=60.0).delay_s)
        assert not np.array_equal(made(lasts_s=60.0).delay_s, made(lasts_s=60.0, seed=2).delay_s)


class TestFit:
    def test_finds_the_figures_of_a_model(self):
        found = fit(made(lasts_s=3600.0))
        assert found.every_s == pytest.approx(0.010)
        assert found.stalls_per_minute == pytest.approx(12, rel=0.1)
        assert found.irregularity == pytest.approx(0.5, abs=0.1)
        assert found.correlation == pytest.approx(0.8, abs=0.05)
        assert found.length_s[2:-1] == pytest.approx(MODEL.length_s[2:-1], abs=0.03)
        assert found.jitter_s[2:-1] == pytest.approx(MODEL.jitter_s[2:-1], abs=0.001)

    def test_a_network_without_stalls(self):
        found = fit(with_stalls())
        assert (found.stalls_per_minute, found.length_s) == (0.0, ())
        assert (found.correlation, found.irregularity) == (0.0, 1.0)
        assert made(found, 60.0).delay_s.max() < 1e-9

    def test_a_recording_without_packets_in_stalls(self):
        """As from a sender that waits: the first of a stall is recorded, the next when it ends."""
        trace = with_stalls(*((5.0 * k, 0.3) for k in range(1, 12)))
        kept = np.ones(len(trace.sent_s), bool)
        for k in range(1, 12):
            kept[500 * k + 1 : 500 * k + 30] = False
        found = fit(DelayTrace("gaps", trace.sent_s[kept], trace.delay_s[kept]))
        assert found.stalls_per_minute == pytest.approx(11)
        assert found.length_s[5] == pytest.approx(0.3, abs=0.02)


class TestShipped:
    @pytest.mark.parametrize(
        ("name", "stalls_per_minute", "p99_ms"), [("Wi-Fi", 8.2, 238), ("bad Wi-Fi", 87.9, 86)]
    )
    def test_is_like_the_recording(self, name, stalls_per_minute, p99_ms):
        """Stalls and 99th percentile of the recordings themselves, replayed at even intervals."""
        trace = shipped_stalls(name)
        assert trace.duration_s == pytest.approx(LASTS_S, abs=0.1)
        found = 60 * len(stalls_of(trace)[0]) / LASTS_S
        assert found == pytest.approx(stalls_per_minute, rel=0.2)
        assert np.quantile(trace.delay_s, 0.99) * 1000 == pytest.approx(p99_ms, rel=0.2)

    def test_is_written_as_it_is_read(self):
        (name, table), *rest = tomllib.loads(toml_of(MODEL)).items()
        assert not rest
        again = model_of(name, table)
        assert again.length_s == pytest.approx(MODEL.length_s)
        assert replace(again, length_s=MODEL.length_s, jitter_s=MODEL.jitter_s) == MODEL
