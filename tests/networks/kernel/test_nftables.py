"""nftables rules: valid input of nft, and the messages for boxes that the kernel cannot be.

Whether they do what they should is for `test_proof` to find out.
"""

import subprocess
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jamlab.networks.kernel.lab import unavailable
from jamlab.networks.kernel.nftables import (
    KernelRefusalError,
    check_box,
    check_ipv6,
    conntrack_timeouts,
    ipv6_ruleset,
    mapped,
    ruleset,
)
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import (
    FULL_CONE,
    PORT_RESTRICTED,
    PRESETS,
    SYMMETRIC,
    Filtering,
    FirewallType,
    Mapping,
    NatType,
    Pooling,
    PortAllocation,
)
from jamlab.networks.model.topology import TopologyError
from tests.examples import examples
from tests.networks.kernel.boxes import ANY_FIREWALL, ANY_NAT, KERNEL_FIREWALLS, kernel_nats

needs_kernel = pytest.mark.skipif(unavailable() is not None, reason=unavailable() or "")


def refusal(box):
    """Return the sentence a box is refused with, or none."""
    try:
        check_box("network 'home'", box)
    except KernelRefusalError as error:
        return str(error)
    return None


@pytest.mark.parametrize("box", [*PRESETS.values(), *map(FirewallType, Filtering)])
def test_the_named_types_and_every_firewall_are_there(box):
    assert refusal(box) is None


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (NatType(Mapping.ADM, Filtering.ADF), "has no ADM/ADF NAT"),
        (replace(SYMMETRIC, filtering=Filtering.EIF), "has no APDM/EIF NAT"),
        (replace(FULL_CONE, port_allocation=PortAllocation.CONTIGUOUS), "allocation contiguous"),
        (replace(FULL_CONE, port_allocation=PortAllocation.RANDOM), "no EIM NAT with port"),
        (NatType(Mapping.APDM, Filtering.APDF), "port allocation preserve: give random"),
        (replace(SYMMETRIC, hairpinning=True), "no APDM NAT with hairpinning"),
        (replace(FULL_CONE, pooling=Pooling.ARBITRARY), "leave pooling out"),
        (replace(FULL_CONE, mapping_lifetime_s=60.0), "the same value"),
        (FirewallType(lifetime_s=60.0), "give inbound_refresh=True"),
        (FirewallType(lifetime_s=0.5, inbound_refresh=True), "whole seconds"),
        (FirewallType(tcp_lifetime_s=float("inf")), "whole seconds"),
    ],
)
def test_what_the_kernel_is_not(box, words):
    message = refusal(box)
    assert message.startswith("network 'home': the kernel ")
    assert words in message


def available(box):
    """Say what the kernel can be, from the list of what was promised."""
    nat = isinstance(box, NatType)
    lifetimes_s = [box.tcp_lifetime_s]
    lifetimes_s += [box.mapping_lifetime_s, box.filtering_lifetime_s] if nat else [box.lifetime_s]
    if not all(1 <= s < 1e7 and s.is_integer() for s in lifetimes_s):
        return False
    if len(set(lifetimes_s[1:])) > 1 or (lifetimes_s[1] != 300 and not box.inbound_refresh):
        return False
    if not nat:
        return True
    if box.pooling is not Pooling.PAIRED or (box.hairpinning and box.mapping != "EIM"):
        return False
    return (box.mapping, box.port_allocation) == ("EIM", "preserve") or box.name == (
        "APDM/APDF/random"
    )


@given(st.one_of(ANY_NAT, ANY_FIREWALL))
@example(FULL_CONE)
@examples(500)
def test_everything_is_either_available_or_refused_in_a_sentence(box):
    message = refusal(box)
    assert (message is None) == available(box)
    assert message is None or "\n" not in message
    assert issubclass(KernelRefusalError, TopologyError)


@needs_kernel
@given(st.lists(st.one_of(kernel_nats(), KERNEL_FIREWALLS), min_size=40, max_size=40))
@examples(10)
def test_nft_takes_every_set_of_rules(boxes):
    """All at once, as tables of other names, in a namespace that ends with the check."""
    tables = [
        ruleset(box, "198.18.0.7").replace("table ip jamlab", f"table ip jamlab{number}")
        for number, box in enumerate(boxes)
    ]
    done = subprocess.run(
        ["unshare", "--net", "nft", "--check", "--file", "-"],
        input="".join(tables),
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr


@needs_kernel
@pytest.mark.parametrize("ipv6", [None, *Ipv6Firewall])
def test_nft_takes_the_rules_for_ipv6(ipv6):
    both = ruleset(SYMMETRIC, "198.18.0.7") + ipv6_ruleset(ipv6)
    command = ["unshare", "--net", "nft", "--check", "--file", "-"]
    done = subprocess.run(command, input=both, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@needs_kernel
@pytest.mark.parametrize("nat", [FULL_CONE, PORT_RESTRICTED, SYMMETRIC], ids=lambda nat: nat.name)
def test_nft_takes_the_rules_for_mapped_ports(nat):
    rules = ruleset(replace(nat, port_mapping=True), "198.18.0.7")
    rules += mapped("10.0.1.1", "198.18.0.7", range(5000, 5008))
    command = ["unshare", "--net", "nft", "--file", "-"]
    done = subprocess.run(command, input=rules, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_ipv6_without_a_firewall_needs_no_rules():
    assert ipv6_ruleset(None) == ipv6_ruleset(Ipv6Firewall.NONE) == ""


def test_a_namespace_has_one_set_of_lifetimes():
    short = FirewallType(lifetime_s=20.0, inbound_refresh=True)
    for ipv6 in (None, Ipv6Firewall.NONE):
        check_ipv6("network 'home'", ipv6, short)
    check_ipv6("network 'home'", Ipv6Firewall.STATEFUL, PORT_RESTRICTED)
    check_ipv6("network 'home'", Ipv6Firewall.STATEFUL, None)
    with pytest.raises(KernelRefusalError, match=r"network 'home': .* 300 s, and 7440 s for TCP"):
        check_ipv6("network 'home'", Ipv6Firewall.STATEFUL, short)


@pytest.mark.parametrize("box", [*PRESETS.values(), FirewallType()])
def test_a_router_takes_nothing_itself(box):
    """A stray packet to it would leave a connection behind."""
    assert "hook input priority filter; policy drop;" in ruleset(box, "198.18.0.7")


def test_lifetimes_become_settings():
    nat = replace(
        PORT_RESTRICTED, mapping_lifetime_s=7.0, filtering_lifetime_s=7.0, tcp_lifetime_s=60.0
    )
    assert set(conntrack_timeouts(nat).values()) == {7, 60}
    assert "timeout 20s" in ruleset(FirewallType(Filtering.EIF, lifetime_s=20.0))
