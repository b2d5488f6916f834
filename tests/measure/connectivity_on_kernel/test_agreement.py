"""The agreement table: its rule compared with a table of our own, luck, and disagreements."""

import itertools

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity_on_kernel.agreement import (
    GROUPS,
    IPV6_TYPES,
    MAPPING_TYPES,
    TYPES,
    agreement_calls,
    agreement_configurations,
    agreement_table,
    disagreements,
    expected_result,
)
from jamlab.measure.connectivity_on_kernel.network import refusal
from tests.examples import examples

from .agreements import changed, simulated

CONFIGURATIONS = {each.name: each for each in agreement_configurations()}

DIRECT = """\
yes yes yes yes yes no  yes yes
yes yes yes yes yes no  yes yes
yes yes yes yes yes no  yes yes
yes yes yes yes no  no  yes no
yes yes yes no  no  no  no  no
no  no  no  no  no  no  no  no
yes yes yes yes no  no  yes no
yes yes yes no  no  no  no  no"""
"""Who reaches whom with STUN alone, in the order of `TYPES`: RFC 3489's four types as published, a
carrier's NAT in front of a home router's like the stricter of the two, and nobody without UDP."""


def cells():
    rows = [[word == "yes" for word in line.split()] for line in DIRECT.splitlines()]
    for (a, one), (b, other) in itertools.product(enumerate(TYPES), repeat=2):
        yield one, other, rows[a][b]


class TestRule:
    @pytest.mark.parametrize(("a", "b", "direct"), [*cells()])
    def test_of_every_cell(self, a, b, direct):
        without_udp = "UDP blocked" in (a.name, b.name)
        relay = {"STUN": False, "STUN+TURN/UDP": not without_udp, "relay only": not without_udp}
        for name, configuration in CONFIGURATIONS.items():
            relayed = "relayed" if relay.get(name, True) else "failed"
            wanted = "direct" if direct and name != "relay only" else relayed
            assert expected_result(a, b, configuration) == wanted, name


IPV6_DIRECT = """\
no  no  no  no  no  no  yes
no  yes yes no  yes yes yes
no  yes yes no  yes yes yes
no  no  no  no  no  no  yes
no  yes yes no  yes yes no
no  yes yes no  yes yes yes
yes yes yes yes no  yes yes"""
"""The same in the order of `IPV6_TYPES`: all but the last have symmetric NATs or no UDP at all, so
what is direct among them is IPv6; the last is open for IPv4, where it is direct."""


class TestIpv6:
    @pytest.mark.parametrize(("a", "one"), [*enumerate(IPV6_TYPES)], ids=lambda place: str(place))
    def test_of_every_cell(self, a, one):
        rows = [[word == "yes" for word in line.split()] for line in IPV6_DIRECT.splitlines()]
        for b, other in enumerate(IPV6_TYPES):
            wanted = "direct" if rows[a][b] else "failed"
            assert expected_result(one, other, CONFIGURATIONS["STUN"]) == wanted, other.name
            relayed = expected_result(one, other, CONFIGURATIONS["STUN+TURN/TLS"])
            assert relayed == ("direct" if rows[a][b] else "relayed")


MAPPING_DIRECT = """\
no  yes yes no  no
yes yes yes no  yes
yes yes yes no  yes
no  no  no  no  no
no  yes yes no  no"""
"""The same in the order of `MAPPING_TYPES`: a mapped port with a public address reaches everybody
who has UDP, and one below a carrier's symmetric NAT is no better than that NAT."""


class TestPortMapping:
    @pytest.mark.parametrize(("a", "one"), [*enumerate(MAPPING_TYPES)], ids=str)
    def test_of_every_cell(self, a, one):
        rows = [[word == "yes" for word in line.split()] for line in MAPPING_DIRECT.splitlines()]
        for b, other in enumerate(MAPPING_TYPES):
            wanted = "direct" if rows[a][b] else "failed"
            assert expected_result(one, other, CONFIGURATIONS["STUN"]) == wanted, other.name


class TestTypes:
    def test_the_kernel_can_build_them(self):
        assert {refusal(place) for group in GROUPS for place in group} == {""}

    def test_every_two_call_each_other_once(self):
        pairs = [{call.caller.name, call.callee.name} for call in agreement_calls(TYPES)]
        assert len(pairs) == 36
        assert all(pairs.count({a.name, b.name}) == 1 for a in TYPES for b in TYPES)

    def test_groups_are_counted_on_and_a_pair_that_two_have_is_called_once(self):
        calls = agreement_calls()
        assert [call.number for call in calls] == [*range(36 + 28 + 15 - 2)]
        assert len({frozenset((call.caller, call.callee)) for call in calls}) == len(calls)
        assert {place for call in calls for place in (call.caller, call.callee)} == {
            *TYPES,
            *IPV6_TYPES,
            *MAPPING_TYPES,
        }

    def test_configurations_are_those_a_campaign_tries_and_tls(self):
        known = {**embedded_configurations(), "STUN+TURN/TLS": None}
        assert all(name in known for name in CONFIGURATIONS)
        assert CONFIGURATIONS["STUN+TURN/TLS"].connection_arguments()["turn_ssl"]
        assert all(not configuration.warnings for configuration in CONFIGURATIONS.values())


WHOLE = simulated()


@pytest.fixture
def attempts():
    return WHOLE


def table(kernel, simulator):
    return agreement_table(kernel, simulator, agreement_configurations())


class TestTable:
    @pytest.mark.slow
    def test_the_whole_of_it_agrees_with_the_simulator(self):
        """All cells, with the simulator in the kernel's place."""
        attempts = simulated(*GROUPS)
        whole = table(attempts, attempts)
        assert len(whole) == 180 + 135 + 70
        assert disagreements(whole) == []

    def test_luck_is_noted_and_counts_as_direct(self, attempts):
        """Between open hosts, a relay was the first to answer."""
        lucky = table(changed(attempts, "STUN+TURN/UDP", "relayed"), attempts)
        cell = lucky[(lucky["call"] == 0) & (lucky["configuration"] == "STUN+TURN/UDP")].iloc[0]
        assert (cell["kernel_result"], cell["kernel"]) == ("relayed", "direct")
        assert cell["kernel_by_luck"]
        assert lucky["agrees"].all()

    def test_luck_is_what_is_direct_on_the_same_network(self, attempts):
        """Were nothing direct without a relay there, a relay would be no luck."""
        kernel = changed(changed(attempts, "STUN+TURN/UDP", "relayed"), "STUN", "failed")
        found = disagreements(table(kernel, attempts))
        assert len(found) == 2
        assert "is direct by the rule, direct simulated and relayed on the kernel" in found[1]

    def test_a_relay_that_was_asked_for_is_no_luck(self, attempts):
        compared = table(attempts, attempts)
        assert not compared.loc[compared["configuration"] == "relay only", "kernel_by_luck"].any()

    def test_the_simulator_may_be_the_one_that_differs(self, attempts):
        found = disagreements(table(attempts, changed(attempts, "relay only", "failed")))
        assert found == [
            "open with open under relay only is relayed by the rule, failed simulated and relayed "
            "on the kernel"
        ]

    @examples(20)
    @given(st.randoms(use_true_random=False))
    def test_the_order_of_attempts_does_not_matter(self, rng):
        shuffled = WHOLE.loc[rng.sample(list(WHOLE.index), len(WHOLE))]
        one, other = table(WHOLE, WHOLE), table(shuffled, WHOLE)
        key = ["call", "configuration"]
        pd.testing.assert_frame_equal(
            one.sort_values(key, ignore_index=True), other.sort_values(key, ignore_index=True)
        )

    def test_times_are_each_network_s_own(self, attempts):
        kernel = attempts.assign(time_to_connect_s=attempts["time_to_connect_s"] * 2)
        compared = table(kernel, attempts)
        pd.testing.assert_series_equal(
            compared["kernel_time_s"], 2 * compared["simulator_time_s"], check_names=False
        )
