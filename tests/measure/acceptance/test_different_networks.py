"""The test of different networks: its own cases, and cases that cannot connect."""

from dataclasses import replace

import pytest

from jamlab.measure.acceptance import different_networks as apart
from jamlab.measure.acceptance.different_networks import CASES, different_networks
from jamlab.measure.acceptance.findings import tables_of
from jamlab.measure.acceptance.verdicts import MIN_HEARD_PERCENT
from jamlab.networks.model.profile import profile_named
from jamlab.networks.model.rule import direct_possible
from tests.measure.acceptance.runs import judged, values

HOME, SYMMETRIC, OFFICE = CASES
BY_NAME = {"home": HOME, "symmetric": SYMMETRIC, "office": OFFICE}


@pytest.fixture(scope="module")
def runs():
    """A finding of each case, of clicks for long enough to be judged, and what was counted."""
    measure, counts = apart._measure, {}

    async def spying(finding, case, world, players, duration_s):
        await measure(finding, case, world, players, duration_s)
        a, b = players
        played = a.counters(b.name)["received"] + b.counters(a.name)["received"]
        counters = world.turn.counters
        passed = counters.relayed_to_peers + counters.relayed_to_clients
        counts[case.name] = (world.relayed_media, world.direct_media, played, passed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apart, "_measure", spying)
        return {name: different_networks(case) for name, case in BY_NAME.items()}, counts


@pytest.fixture(scope="module")
def findings(runs):
    return runs[0]


@pytest.fixture(scope="module")
def counted(runs):
    """RTP packets by the world, relayed and direct; by the sessions; and all that TURN passed."""
    return runs[1]


@pytest.mark.slow
class TestAsItIs:
    def test_every_figure_of_every_case_passes(self, findings):
        outcomes = judged(*findings.values())
        assert set(outcomes.values()) == {"PASS"}
        assert len(outcomes) == 5

    def test_a_direct_path_is_taken_where_there_is_one(self, findings):
        assert values(findings["home"], apart.AVOIDABLE) == {"home to home": 0.0}
        assert values(findings["home"], apart.RELAYED) == {}

    @pytest.mark.parametrize("name", ["symmetric", "office"])
    def test_everything_goes_through_turn_where_there_is_none(self, findings, name):
        assert [*values(findings[name], apart.RELAYED).values()] == [100.0]

    def test_latencies_are_above_what_the_network_takes(self, findings):
        delay_ms = profile_named(apart.PROFILE).delay_s * 1000
        detour_ms = 20.0  # to the TURN server and back
        for name, least_ms in (("home", delay_ms), ("symmetric", delay_ms + detour_ms)):
            found_ms = values(findings[name], apart.LATENCY).values()
            assert len(found_ms) == 2
            assert all(least_ms + 5 < latency_ms < least_ms + 20 for latency_ms in found_ms)

    def test_users_are_told_only_where_direct_paths_fail(self, findings):
        told = {name: {e[5] for e in f.events if e[4]} for name, f in findings.items()}
        for kinds in told.values():
            kinds.discard("joined")  # of everybody, at the beginning
        assert told["home"] == set()
        for name in ("symmetric", "office"):
            assert told[name] == {"relaying"}

    def test_they_are_told_of_servers_only_where_udp_is_blocked(self, findings):
        told = {name: [e[5] for e in f.events if e[3] and not e[4]] for name, f in findings.items()}
        assert {name: kinds for name, kinds in told.items() if kinds} == {
            "office": ["servers useless"]
        }

    def test_the_curves_are_the_clicks(self, findings):
        curves = tables_of([findings["home"]])["curves"]
        assert set(curves["series"]) == set(values(findings["home"], apart.LATENCY))
        assert len(curves) == 160

    def test_the_same_seed_finds_the_same(self, findings):
        assert different_networks(HOME) == findings["home"]


@pytest.mark.slow
class TestShareThroughTurn:
    @pytest.mark.parametrize("case", [SYMMETRIC, OFFICE], ids=["two relays", "one relay"])
    def test_it_is_of_media_each_packet_once_however_many_relays_it_passes(self, counted, case):
        """The server passes most packets twice between two symmetric NATs, and more than media."""
        relayed, direct, played, passed = counted[case.name]
        assert direct == 0
        assert relayed == pytest.approx(played, rel=0.01)  # a few are lost, or still on their way
        assert passed > 1.01 * relayed
        if case is SYMMETRIC:
            assert passed > 2 * relayed

    def test_without_a_relay_all_media_is_direct(self, counted):
        relayed, direct, played, passed = counted[HOME.name]
        assert direct == pytest.approx(played, rel=0.01)
        assert relayed == 0
        assert passed < 0.05 * direct  # checks, and nothing else


@pytest.mark.slow
class TestControls:
    def test_they_fail_in_every_case(self, findings):
        for finding in findings.values():
            assert [*values(finding, apart.CONTROL).values()] == [0.0]

    def test_the_rule_of_who_reaches_whom_says_the_same(self):
        """`jamlab.networks.model.rule` never sees the simulator."""
        for case in (HOME, SYMMETRIC):
            (first,), (second,) = ((place.layers[0][0],) for place in case.places)
            assert direct_possible(first, second) is not case.needs_relay

    def test_one_that_connects_spoils_the_run(self):
        easy = replace(HOME, without="STUN")
        outcomes = judged(different_networks(easy, duration_s=1.0))
        assert outcomes.pop(apart.RELAYED) == "INCONCLUSIVE"
        assert set(outcomes.values()) == {"INCONCLUSIVE"}


class TestFaults:
    @pytest.mark.slow
    def test_two_whom_nothing_connects(self, monkeypatch):
        monkeypatch.setattr(apart, "DEADLINE_S", 30.0)
        lost = replace(OFFICE, configuration="STUN+TURN/UDP")
        finding = different_networks(lost)
        outcomes = judged(finding)
        assert values(finding, apart.CONNECTED_AFTER) == {lost.name: 30.0}
        assert outcomes[apart.CONNECTED_AFTER] == "FAIL"
        assert "no audio" in {event[5] for event in finding.events}

    @pytest.mark.slow
    def test_a_relay_nobody_needs(self):
        detour = replace(HOME, configuration="relay only")
        outcomes = judged(different_networks(detour, duration_s=1.0))
        assert outcomes[apart.AVOIDABLE] == "FAIL"

    @pytest.mark.slow
    def test_a_network_that_loses_too_much(self, monkeypatch):
        lossy = replace(profile_named(apart.PROFILE), loss=0.3, burst_packets=5.0)
        monkeypatch.setattr(apart, "profile_named", lambda _name: lossy)
        finding = different_networks(HOME, duration_s=3.0)
        assert min(values(finding, apart.HEARD).values()) < MIN_HEARD_PERCENT
        assert judged(finding)[apart.HEARD] == "FAIL"
