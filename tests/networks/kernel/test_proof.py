"""Every supported behaviour of the kernel, found by two clients; and a wrong one, reported."""

import os
import signal
import threading
from dataclasses import replace

import pytest

from jamlab.networks.kernel import coturn, namespace
from jamlab.networks.kernel import lab as kernel
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.kernel.nftables import ruleset
from jamlab.networks.kernel.proof import Behaviour, ProofError, asked_for, parse_natdiscovery, prove
from jamlab.networks.model.nat_behaviour import (
    ADDRESS_RESTRICTED,
    FULL_CONE,
    PORT_RESTRICTED,
    SYMMETRIC,
    Filtering,
    FirewallType,
    Mapping,
)
from jamlab.networks.model.topology import HostConfig, Topology
from tests.networks.kernel.boxes import home

REASON = coturn.unavailable() or kernel.unavailable()
needs_lab = pytest.mark.skipif(REASON is not None, reason=REASON or "")
EIM, APDM = Mapping.EIM, Mapping.APDM
EIF, ADF, APDF = Filtering


def hairpins(nat):
    return (replace(nat, hairpinning=True),)


def short(box):
    lifetime = "lifetime_s" if isinstance(box, FirewallType) else "mapping_lifetime_s"
    options = {lifetime: 3.0, "inbound_refresh": True}
    if lifetime != "lifetime_s":
        options["filtering_lifetime_s"] = 3.0
    return (replace(box, **options),)


PLACES = {
    "open": ((), Behaviour()),
    "full-cone": ([(FULL_CONE,)], Behaviour(False, True, EIM, EIF, False)),
    "address-restricted": ([(ADDRESS_RESTRICTED,)], Behaviour(False, True, EIM, ADF, False)),
    "port-restricted": ([(PORT_RESTRICTED,)], Behaviour(False, True, EIM, APDF, False)),
    "symmetric": ([(SYMMETRIC,)], Behaviour(False, True, APDM, APDF)),
    "full-cone-hairpin": ([hairpins(FULL_CONE)], Behaviour(False, True, EIM, EIF, True)),
    "address-hairpin": ([hairpins(ADDRESS_RESTRICTED)], Behaviour(False, True, EIM, ADF, True)),
    "port-hairpin": ([hairpins(PORT_RESTRICTED)], Behaviour(False, True, EIM, APDF, True)),
    "full-cone-short": ([short(FULL_CONE)], Behaviour(False, True, EIM, EIF, False, 3.0)),
    "port-short": ([short(PORT_RESTRICTED)], Behaviour(False, True, EIM, APDF, False, 3.0)),
    "symmetric-short": ([short(SYMMETRIC)], Behaviour(False, True, APDM, APDF, None, 3.0)),
    "open-door": ([(FirewallType(EIF),)], Behaviour(False, False, EIM, EIF)),
    "address-door": ([(FirewallType(ADF),)], Behaviour(False, False, EIM, ADF)),
    "door": ([(FirewallType(),)], Behaviour(False, False, EIM, APDF)),
    "short-door": ([short(FirewallType(ADF))], Behaviour(False, False, EIM, ADF, None, 3.0)),
    "nat-then-door": ([(FULL_CONE, FirewallType())], Behaviour(False, True, EIM, APDF, False)),
    "door-then-nat": ([(FirewallType(ADF), FULL_CONE)], Behaviour(False, True, EIM, ADF, False)),
    "blocked": (
        [(PORT_RESTRICTED, FirewallType(udp_blocked=True))],
        Behaviour(True, False, None, None),
    ),
    "two-cones": ([(FULL_CONE,), (FULL_CONE,)], Behaviour(False, True, EIM, EIF, False)),
    "carrier": ([(PORT_RESTRICTED,), (SYMMETRIC,)], Behaviour(False, True, APDM, APDF)),
    "carrier-hairpin": (
        [(FULL_CONE,), hairpins(ADDRESS_RESTRICTED)],
        Behaviour(False, True, EIM, ADF, True),
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_what_boxes_are_together(name):
    layers, together = PLACES[name]
    assert asked_for([box for boxes in layers for box in boxes]) == together


@pytest.mark.slow
@needs_lab
def test_every_behaviour_is_what_it_was_asked_to_be():
    """All at once: most of the time goes by in waiting for what does not come."""
    homes = (home(name, *layers) for name, (layers, _) in PLACES.items())
    world = Topology((HostConfig("stun", addresses=2), *homes))
    with KernelLab(world) as lab, Coturn(lab.host("stun")) as server:
        proofs = prove(lab, server, PLACES)
    assert [proof.host for proof in proofs] == [*PLACES]
    for proof in proofs:
        _, together = PLACES[proof.host]
        ours, theirs = proof.by_jamlab, proof.by_coturn
        assert (ours.mapping, ours.filtering) == (together.mapping, together.filtering)
        assert (theirs.mapping, theirs.filtering) == (together.mapping, together.filtering)
        assert ours.hairpinning == together.hairpinning
        if together.lifetime_s:
            assert ours.lifetime_s[0] <= together.lifetime_s + 1
            assert ours.lifetime_s[1] >= together.lifetime_s - 1


@pytest.mark.slow
@needs_lab
def test_boxes_that_are_others_are_found_out():
    """Rules and lifetimes are changed behind the lab's back; one that is as it should be is not."""
    world = Topology(
        (
            HostConfig("stun", addresses=2),
            home("ada", (PORT_RESTRICTED,)),
            home("ben", short(PORT_RESTRICTED)),
            home("eve", (FULL_CONE,)),
        )
    )
    with KernelLab(world) as lab, Coturn(lab.host("stun")) as server:
        with namespace.inside(lab.boxes("ada-0")[0]):
            rules = ruleset(SYMMETRIC, "198.18.0.3")
            namespace.run("nft", "-f", "-", given=f"flush ruleset\n{rules}")
        with namespace.inside(lab.boxes("ben-0")[0]):
            for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
                namespace.configure({f"netfilter/{name}": "60"})
        with pytest.raises(ProofError) as error:
            prove(lab, server, ["ada", "ben", "eve"])
    message = str(error.value)
    assert "\n" not in message
    assert "'eve'" not in message
    for client in ("turnutils_natdiscovery", "jamlab natprobe"):
        assert f"{client} found udp_blocked no, mapping APDM, filtering APDF" in message
    assert message.count("the boxes in front of 'ada' should have udp_blocked no, mapping EIM") == 2
    assert "in front of 'ben' should have a lifetime of 3 s, but jamlab natprobe" in message
    assert message.count("'ben'") == 1


@needs_lab
def test_ctrl_c_waits_for_both_clients(caplog):
    world = Topology((HostConfig("stun", addresses=2), home("ada", (PORT_RESTRICTED,))))
    with KernelLab(world) as lab, Coturn(lab.host("stun")) as server:
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            prove(lab, server, ["ada"])
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ("", Behaviour(True, False, None, None)),
        ("No NAT! (Endpoint Independent Mapping)", (False, EIM, None)),
        ("NAT with Address Dependent Mapping!", (True, Mapping.ADM, None)),
        (
            "NAT with Address and Port Dependent Mapping!\n=\n"
            "NAT with Address and Port Dependent Filtering!",
            (True, APDM, APDF),
        ),
        (
            "NAT with Endpoint Independent Mapping!\nNAT with Address Dependent Filtering!",
            (True, EIM, ADF),
        ),
    ],
)
def test_what_coturns_client_says(printed, found):
    if isinstance(found, tuple):
        printed = f"0: : IPv4. UDP reflexive addr: 198.18.0.3:1\n{printed}\n"
        found = Behaviour(False, *found)
    assert parse_natdiscovery(printed) == found
