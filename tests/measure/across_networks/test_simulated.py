"""Latency over the simulated internet, compared with the configured delay."""

import dataclasses
import subprocess
import sys
from concurrent.futures import Executor, Future

import numpy as np
import pytest

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.across_networks import simulated as across
from jamlab.measure.across_networks.simulated import (
    across_plan,
    across_verdicts,
    load_across,
    measure_across,
    measure_on,
    topology,
)
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.run import ONE_WAY
from jamlab.measure.latency.verdicts import floor_ms, paths_table, waterfall
from jamlab.measure.record import RecordError
from jamlab.measure.verdict import Outcome
from jamlab.mesh.connection import negotiation
from jamlab.networks.model.profile import (
    NetworkProfile,
    UnknownProfileError,
    profile_names,
    profile_replaying,
)
from jamlab.networks.model.trace import DelayTrace
from tests.measure.latency.records import record_of

SHORT = LatencyPlan(peers=2, duration_s=3.0, round_trip_s=0.0, settle_s=2.0, sessions=1)
TRACE = DelayTrace("home.csv", np.arange(100) / 100, np.full(100, 0.005))
BLOCK_MS = 64 / SAMPLE_RATE * 1000
PACKET_MS = 2.5


class Here(Executor):
    """Work at once, in this process."""

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def still(delay_s, **options):
    """A network that only delays."""
    figures = {"jitter_s": 0.0, "loss": 0.0, "burst_packets": 1.0} | options
    rates = {"up_bit_s": 1e12, "down_bit_s": 1e12}
    return NetworkProfile("still", delay_s, **figures, **rates, source="analytic", assumed="")


@pytest.fixture
def network(monkeypatch):
    """Have every name stand for a chosen profile."""

    def choose(profile):
        monkeypatch.setattr(across, "profile_named", lambda _name: profile)

    return choose


def one_way(record):
    paths = paths_table(record)
    return paths[paths["measurement"] == ONE_WAY]


@pytest.fixture(scope="module")
def near():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(across, "profile_named", lambda _name: still(0.010))
        return measure_on("still", SHORT, seed=1)


class TestDelay:
    @pytest.mark.slow
    def test_the_network_stage_is_the_delay(self, near):
        """Up to the time a packet takes on a line of 1 Tbit/s, and nothing is left over."""
        stages = waterfall(near).set_index("stage")["mean_ms"]
        assert stages["network"] == pytest.approx(10, abs=0.001)
        assert abs(stages["residual"]) < 0.001

    @pytest.mark.slow
    def test_more_delay_is_as_much_more_latency(self, near, network):
        """A delay longer by whole blocks finds the cards in the same phase.

        Sessions connect later, so the buffers' delays settle at other clicks.
        """
        network(still(0.010 + 30 * BLOCK_MS / 1000))
        far = measure_on("still", SHORT, seed=1)
        gained = one_way(far)["median_ms"].to_numpy() - one_way(near)["median_ms"].to_numpy()
        np.testing.assert_allclose(gained, 30 * BLOCK_MS, atol=0.5)

    @pytest.mark.slow
    def test_nothing_is_lost_or_late_on_a_still_network(self, near):
        assert near.provenance["loop_lag"]["max_ms"] == pytest.approx(0, abs=1e-6)
        assert not near.streams[["concealed_frames", "late", "card_underruns"]].to_numpy().any()
        assert (one_way(near)["heard_share"] == 1).all()
        assert (one_way(near)["median_ms"] >= 10 + floor_ms(near)).all()

    @pytest.mark.slow
    def test_a_trace_of_even_delay_is_that_delay(self, near):
        """Once on a path, so the sender's link has all of it."""
        even = DelayTrace("even.csv", np.arange(100) / 100, np.full(100, 0.010))
        replayed = measure_on(profile_replaying(even), SHORT, seed=1)
        stages = waterfall(replayed).set_index("stage")["mean_ms"]
        assert stages["network"] == pytest.approx(10, abs=0.001)
        assert not replayed.streams[["concealed_frames", "late"]].to_numpy().any()
        assert replayed.provenance["network"] == "trace even"
        figures = {"delay_s": 0.010, "jitter_s": 0.0, "loss": 0.0}
        found = replayed.provenance["replayed"]
        assert {name: found[name] for name in figures} == pytest.approx(figures, abs=1e-6)
        assert found["source"] == "even.csv"

    @pytest.mark.slow
    def test_loss_that_nothing_repairs_is_concealed_and_costs_no_latency(
        self, near, network, monkeypatch
    ):
        monkeypatch.setattr(negotiation, "use_redundancy", lambda *_: None)
        network(still(0.010, loss=0.02))
        lossy = measure_on("still", SHORT, seed=1)
        shares = one_way(lossy)["concealed_share"]
        assert shares.between(0.008, 0.04).all()  # of 1,200 packets each way: ± 3 standard errors
        gained = one_way(lossy)["median_ms"].max() - one_way(near)["median_ms"].max()
        assert gained <= BLOCK_MS

    @pytest.mark.slow
    def test_loss_is_repaired_for_a_packet_of_latency(self, near, network):
        """All but pairs, 0.04 % of packets: more than three of 1,200 are not to be expected."""
        network(still(0.010, loss=0.02))
        lossy = measure_on("still", dataclasses.replace(SHORT, settle_s=8.0), seed=1)
        assert (one_way(lossy)["concealed_share"] <= 3 / 1200).all()
        gained = one_way(lossy)["median_ms"].max() - one_way(near)["median_ms"].max()
        assert 0 < gained <= PACKET_MS + BLOCK_MS


@pytest.mark.slow
class TestSameSeed:
    @pytest.mark.slow
    def test_the_same_clicks_to_the_last_bit(self, near, network):
        network(still(0.010))
        again = measure_on("still", SHORT, seed=1)
        assert again.clicks.equals(near.clicks)
        assert again.streams.equals(near.streams)

    def test_in_another_process_with_other_hashes(self, tmp_path):
        plan = "LatencyPlan(duration_s=2.0, round_trip_s=0.0, settle_s=2.0, sessions=2)"
        script = (
            "import sys; from pathlib import Path\n"
            "from jamlab.measure.across_networks.simulated import measure_on\n"
            "from jamlab.measure.latency.plan import LatencyPlan\n"
            f"measure_on('5G', {plan}, 4, Path(sys.argv[1]))"
        )
        for hashes in "1", "2":
            environment = {"PYTHONHASHSEED": hashes, "PATH": ""}
            command = [sys.executable, "-c", script, str(tmp_path / hashes / "5G")]
            subprocess.run(command, check=True, env=environment)
        one, two = (load_across(tmp_path / hashes)["5G"] for hashes in "12")
        assert one.clicks.equals(two.clicks)
        assert one.provenance["network"] == "5G"
        assert one.provenance["seed"] == 4


class TestPlans:
    def test_no_profiles_are_all(self):
        assert across_plan().profiles == profile_names()

    def test_a_trace_is_measured_alone_or_beside_profiles(self):
        assert across_plan(traces=[TRACE]).names == ("trace home",)
        assert across_plan(["5G, real"], traces=[TRACE]).names == ("5G, real", "trace home")
        with pytest.raises(PlanError, match="there are two of trace home: rename a file"):
            across_plan(traces=[TRACE, TRACE])

    def test_enough_clicks_for_a_verdict(self):
        """72 values bound a 95th percentile (Conover 1999 §3.2)."""
        plan = across_plan().plan
        assert plan.duration_s * plan.bpm / 60 >= 72

    def test_unknown_profile(self):
        with pytest.raises(UnknownProfileError, match="Mars"):
            across_plan(["Mars"])

    def test_parameters_out_of_range(self):
        with pytest.raises(PlanError, match="peers is 9"):
            across_plan(peers=9)

    def test_hosts_have_the_profile_between_them(self):
        hosts = topology(still(0.030), ["player 1", "player 2"]).members
        assert [host.name for host in hosts] == ["player-1", "player-2"]
        assert sum(host.link.delay_s for host in hosts) == pytest.approx(0.030)


class TestRecords:
    def test_a_record_for_each_profile_and_progress(self, tmp_path, monkeypatch):
        def measured(name, plan, seed, folder):
            record_of(lambda *_: [20.0] * 100, lambda *_: [40.0] * 100).save(folder)

        monkeypatch.setattr(across, "measure_on", measured)
        told = []
        plan = across_plan(["LAN", "4G"], traces=[TRACE])
        records = measure_across(plan, tmp_path, Here(), lambda *args: told.append(args))
        assert list(records) == ["LAN", "4G", "trace home"]
        assert [done for done, _ in told] == pytest.approx([1 / 3, 2 / 3, 1])
        assert list(load_across(tmp_path)) == ["LAN", "4G", "trace home"]  # the nearest first

    def test_a_missing_record_is_named(self, tmp_path):
        (tmp_path / "LAN").mkdir()
        with pytest.raises(RecordError, match="LAN"):
            load_across(tmp_path)

    @pytest.mark.parametrize(
        ("latency_ms", "outcome"), [(99.0, Outcome.PASS), (101.0, Outcome.FAIL)]
    )
    def test_the_target_is_100_ms(self, latency_ms, outcome):
        verdict, concealed = across_verdicts(
            {"4G": record_of(lambda *_: [latency_ms] * 100, lambda *_: [9.0] * 100)}
        )
        assert verdict.verdict is outcome
        assert verdict.name == "one-way latency over 4G, 95th percentile of the worst path"
        assert verdict.target == "< 100"
        assert concealed.name == "concealed sound over 4G, share of the worst path"
        assert concealed.verdict is Outcome.PASS
