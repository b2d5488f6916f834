"""Latency between namespaces: topologies, and short runs on this machine's kernel."""

import asyncio
import itertools

import numpy as np
import pytest

from jamlab.measure.across_networks import kernel as kernel_latency
from jamlab.measure.across_networks.kernel import (
    PUBLIC,
    Case,
    KernelPlan,
    _forget,
    kernel_cases,
    kernel_plan,
    measure_case,
)
from jamlab.measure.across_networks.kernel_record import bounds_table
from jamlab.measure.across_networks.simulated import across_verdicts
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.routes import DIRECT, RELAYED, taken, wrong_routes
from jamlab.measure.latency.verdicts import paths_table
from jamlab.measure.live_mesh.pairs import pairs_table
from jamlab.mesh.figures import CANDIDATE_TYPES
from jamlab.networks.kernel import coturn
from jamlab.networks.kernel.proof import ProofError
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC
from jamlab.networks.model.profile import UnknownProfileError, profile_named, profile_names
from jamlab.networks.model.rule import direct_possible
from jamlab.networks.model.topology import PERFECT
from jamlab.networks.model.trace import DelayTrace
from tests.networks.kernel.wires import own_namespaces, reason

from .kernel_records import kernel_record

why_not = reason or coturn.unavailable()
on_kernel = pytest.mark.skipif(why_not is not None, reason=why_not or "")

SHORT = LatencyPlan(duration_s=3.0, settle_s=1.0, sessions=1)
NEAR = Case(None, DIRECT)
FAR, RELAYED_FAR = (Case("same country", route) for route in (DIRECT, RELAYED))
DELAY_S = 0.016
"""Of the profile *same country*, one way."""
TRIES = 3
CLOCK_MS = 1e-3  # what reports are rounded by


class TestPlan:
    def test_has_every_profile_direct_and_relayed_after_none(self):
        cases = kernel_plan().cases
        expected = itertools.product((None, *profile_names()), (DIRECT, RELAYED))
        assert cases == tuple(Case(*each) for each in expected)
        assert len({case.name for case in cases}) == len(cases)

    def test_takes_some(self):
        chosen = {case.profile for case in kernel_cases(["4G"])}
        assert chosen == {None, "4G"}

    def test_takes_traces(self):
        trace = DelayTrace("home.csv", np.arange(20) / 100, np.full(20, 0.005))
        cases = kernel_plan(traces=[trace]).cases
        assert [case.name for case in cases[2:]] == ["trace home, direct", "trace home, relayed"]
        assert cases[2].access.trace is trace
        assert cases[2].access.trace_once
        with pytest.raises(PlanError, match="two of trace home"):
            kernel_plan(traces=[trace, trace])

    def test_refuses_a_profile_that_is_not_there(self):
        with pytest.raises(UnknownProfileError, match="no network profile 'Mars'"):
            kernel_plan(["Mars"])

    def test_refuses_more_clicks_than_can_be_told_apart(self):
        with pytest.raises(PlanError, match=r"duration_s is 21: choose up to 20"):
            kernel_plan(duration_s=21.0)
        assert KernelPlan((), LatencyPlan(duration_s=20.0)).plan.duration_s == 20


class TestTopology:
    @pytest.mark.parametrize("profile", [None, *profile_names()])
    @pytest.mark.parametrize(("route", "box"), [(DIRECT, PORT_RESTRICTED), (RELAYED, SYMMETRIC)])
    def test_has_a_home_for_everybody_at_the_profiles_distance(self, profile, route, box):
        public, *homes = Case(profile, route).topology(["player 1", "player 2"]).members
        assert (public.name, public.link) == (PUBLIC, PERFECT)
        assert [home.boxes for home in homes] == [(box,)] * 2
        delay_s = 0.0 if profile is None else profile_named(profile).delay_s
        assert sum(home.link.delay_s for home in homes) == pytest.approx(delay_s)

    @pytest.mark.parametrize(("route", "box"), [(DIRECT, PORT_RESTRICTED), (RELAYED, SYMMETRIC)])
    def test_is_one_that_the_rules_give_that_route(self, route, box):
        assert direct_possible(box, box) is (route == DIRECT)


def test_only_records_of_an_earlier_run_are_forgotten(tmp_path):
    kernel_record().save(tmp_path / "00")
    kernel_record().save(tmp_path / "mine")
    (tmp_path / "01").mkdir()
    (tmp_path / "01" / "notes.txt").touch()
    _forget(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")}
    assert left >= {"01/notes.txt", "mine/packets.parquet"}
    assert not (tmp_path / "00").exists()


@on_kernel
def test_nobody_plays_behind_nats_that_are_not_what_they_should_be(monkeypatch):
    def fail(lab, server, hosts):
        raise ProofError(f"{server.stun_url} found others before {', '.join(hosts)}")

    monkeypatch.setattr(kernel_latency, "prove", fail)
    before = own_namespaces()
    with pytest.raises(ProofError, match="found others before player-1, player-2"):
        asyncio.run(measure_case(NEAR, SHORT))
    assert own_namespaces() == before


def heard(record):
    return (paths_table(record)["heard_share"] > 0).all()


async def measured(case, record):
    """Return a record, measured again by itself where a busy machine has played nothing in time."""
    for _ in range(TRIES):
        if heard(record):
            break
        record = await measure_case(case, SHORT)
    return record


@pytest.fixture(scope="module")
def runs():
    """Three labs side by side, for most of the time they wait."""

    async def all_cases():
        cases = NEAR, FAR, RELAYED_FAR
        records = await asyncio.gather(*(measure_case(case, SHORT) for case in cases))
        return {c: await measured(c, record) for c, record in zip(cases, records, strict=True)}

    before = own_namespaces()
    found = asyncio.run(all_cases())
    assert own_namespaces() == before
    return found


@pytest.mark.slow
@on_kernel
class TestRun:
    def test_packets_go_the_way_they_are_to(self, runs):
        for case, record in runs.items():
            routes = record.provenance["routes"]
            assert taken(routes, "player 1", "player 2") == case.route
            assert {type_ for each in routes.values() for type_ in each.values()} <= {
                *CANDIDATE_TYPES
            }
            assert list(wrong_routes(record.provenance)) == []

    def test_nothing_is_sooner_than_it_can_be(self, runs):
        """No packet than the links' delay, no click than that and packet, look-ahead and block."""
        for case, record in runs.items():
            delay_ms = 1000 * (DELAY_S if case.profile else 0.0)
            assert record.provenance["delay_s"] * 1000 == pytest.approx(delay_ms)
            mesh = record.mesh
            took_ms = (mesh.packets["came_s"] - mesh.packets["sent_s"]) * 1000
            assert took_ms.min() >= delay_ms - CLOCK_MS
            for row in bounds_table(record).itertuples():
                clicks = record.clicks[record.clicks["receiver"] == row.receiver]
                assert clicks["latency_ms"].min() >= row.least_ms - CLOCK_MS
                assert row.least_ms > delay_ms

    def test_what_two_unknown_clocks_leave_holds_the_latency(self, runs):
        for record in runs.values():
            for row in bounds_table(record).itertuples():
                assert row.one_way_min_ms - CLOCK_MS <= row.median_ms
                assert row.median_ms <= row.one_way_max_ms + CLOCK_MS

    def test_there_is_one_clock_and_the_packets_do_not_contradict_it(self, runs):
        for record in runs.values():
            assert (record.mesh.participants["clock_error_s"] == 0).all()
            for row in pairs_table(record.mesh).itertuples():
                assert row.why == ""
                assert row.offset_min_s <= 0 <= row.offset_max_s
                assert row.skew_min_ppm <= 0 <= row.skew_max_ppm

    def test_every_ordered_pair_is_judged(self, runs):
        for case, record in runs.items():
            paths = paths_table(record)
            assert len(paths) == 2
            assert heard(record)
            verdict, _ = across_verdicts({case.name: record})
            assert verdict.target == "< 100"
            assert verdict.name.startswith(f"one-way latency over {case.name}")

    def test_links_tell_what_they_carried(self, runs):
        assert runs[NEAR].provenance["links"] == {}
        for case in (FAR, RELAYED_FAR):
            links = runs[case].provenance["links"]
            assert set(links) == {"player-1-network-1", "player-2-network-1"}
            for link in links.values():
                for way in (link["up"], link["down"]):
                    assert way["sent"] > 1000
                    assert way["refused"] < way["sent"] / 2
                    assert 0 <= way["late_median_s"] <= way["late_p99_s"] <= way["late_max_s"]
