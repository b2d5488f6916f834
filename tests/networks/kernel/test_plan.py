"""Commands of a plan, for namespaces of either version of IP."""

from jamlab.networks.kernel.nftables import OUTSIDE
from jamlab.networks.kernel.wiring import plan
from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import FULL_CONE, FirewallType
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology
from tests.networks.kernel.boxes import HOME, home


def test_the_commands_of_a_home():
    built = plan(HOME)
    (router,) = built.boxes["home"]
    assert built.nodes[router].name == "home-box0"
    assert list(built.commands(router)) == [
        "link set lo up",
        "address add 169.254.1.1/32 dev lan0",
        "link set lan0 up",
        "route add 10.0.1.1/32 dev lan0",
        "address add 169.254.1.1/32 dev lan1",
        "link set lan1 up",
        "route add 10.0.1.2/32 dev lan1",
        f"address add 198.18.0.3/32 dev {OUTSIDE}",
        f"link set {OUTSIDE} up",
        f"route add default via 169.254.0.1 dev {OUTSIDE} onlink src 198.18.0.3",
    ]
    assert list(built.commands(0))[:2] == ["link set lo up", "route add blackhole default"]
    assert "route add 198.18.0.2/32 dev lan0" in built.commands(0)


def test_a_firewall_leads_on_to_whom_it_guards():
    built = plan(Topology((home("eve", (FULL_CONE, FirewallType())),)))
    assert "route add 198.18.0.1/32 via 169.254.0.2 onlink dev lan0" in built.commands(0)
    outer = built.boxes["eve-0"][1]
    assert "route add 198.18.0.1/32 dev lan0" in built.commands(outer)


def test_ipv6_needs_addresses_at_once_and_routes():
    """Without "nodad" an address cannot be used for a second (RFC 4862 section 5.4)."""
    dual = HostConfig("dual", ipv6=True)
    lan = LanConfig("lan", (dual, HostConfig("old")), (FULL_CONE,), ipv6=Ipv6Firewall.NONE)
    built = plan(Topology((lan,)))
    place, _ = built.hosts["dual"]
    assert list(built.commands(place)) == [
        "link set lo up",
        "address add 10.0.1.1/32 dev eth0",
        "address add 2001:2::1/128 dev eth0 nodad",
        "link set eth0 addrgenmode none",
        "address add fe80::2/64 dev eth0 nodad",
        "link set eth0 up",
        "route add default via 169.254.1.1 dev eth0 onlink src 10.0.1.1",
        "route add default via fe80::1 dev eth0 onlink src 2001:2::1",
    ]
    (router,) = built.boxes["lan"]
    commands = list(built.commands(router))
    assert "route add 2001:2::1/128 dev lan0" in commands
    assert f"route add default via fe80::1 dev {OUTSIDE} onlink" in commands
    assert "address add fe80::1/64 dev lan1 nodad" not in commands  # where nobody has IPv6
    outside = list(built.commands(0))
    assert "route add 2001:2::1/128 via fe80::2 onlink dev lan0" in outside
    assert "route add blackhole ::/0" in outside
