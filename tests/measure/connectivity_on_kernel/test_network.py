"""The kernel network's parts that need neither kernel nor coturn: servers that stand in."""

import pickle
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.connectivity.ends import Log
from jamlab.measure.connectivity_on_kernel.agreement import agreement_configurations
from jamlab.measure.connectivity_on_kernel.end_process import OnHost, here
from jamlab.measure.connectivity_on_kernel.network import MOST_ENDS, KernelNetwork, refusal
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.lab import KernelHost
from jamlab.networks.model.place_names import place_named
from jamlab.process.child import ChildError

SECRET = "hunter-2-hunter-2"
URLS = st.sampled_from(
    [
        "stun:stun.example.org",
        "stuns:stun.example.org",
        "turn:turn.example.org:80",
        "turn:turn.example.org?transport=tcp",
        "turns:turn.example.org:443?transport=tcp",
        "turns:turn.example.org?transport=udp",
    ]
)


@pytest.fixture(scope="module")
def network():
    network = KernelNetwork([])
    network._secret = "the server's own"
    network.coturn = Coturn(SimpleNamespace(addresses=("198.18.0.1", "198.18.0.2")))
    network.coturn.port, network.coturn.tls_port = 10010, 10020
    return network


class TestStandIns:
    @given(urls=st.lists(URLS, max_size=4), policy=st.sampled_from(["all", "relay"]))
    def test_are_of_the_same_kinds_and_know_no_secret(self, network, urls, policy):
        servers = tuple(IceServer(url, "me", SECRET) for url in urls)
        own = IceConfiguration("mine", servers, policy)
        stand_in = network.stand_in(own, "attempt-7")
        one, other = own.connection_arguments(), stand_in.connection_arguments()
        assert one.keys() == other.keys()
        for key in ("turn_transport", "turn_ssl", "transport_policy"):
            assert one.get(key) == other.get(key)
        assert (stand_in.name, stand_in.has_turn) == (own.name, own.has_turn)
        assert SECRET not in {server.credential for server in stand_in.servers}

    @pytest.mark.parametrize("configuration", agreement_configurations(), ids=lambda c: c.name)
    def test_are_where_coturn_listens(self, network, configuration):
        arguments = network.stand_in(configuration, "attempt-7").connection_arguments()
        assert arguments.get("stun_server") in (None, ("198.18.0.1", 10010))
        port = 10020 if arguments.get("turn_ssl") else 10010
        assert arguments.get("turn_server") in (None, ("198.18.0.1", port))

    def test_tell_the_log_whose_they_are(self, network):
        relay_only = agreement_configurations()[-1]
        (turn,) = network.stand_in(relay_only, "attempt-7").servers
        assert turn.username.endswith(":attempt-7")


class TestPorts:
    async def test_nobody_ever_gets_those_of_another(self, monkeypatch):
        """They came round again after 3,968 ends on a machine."""
        place, given = place_named("open"), []
        network = KernelNetwork([place])
        network._lab = SimpleNamespace(
            host=lambda name: KernelHost(name, "space", ()), map_ports=lambda *_: None
        )
        network.coturn = SimpleNamespace(certificate_file="trusted.pem")

        async def opened(_side, _configuration, _level, _log, _inside, ports, outside):
            assert outside == ""
            given.extend(ports)

        network._ends = SimpleNamespace(open=opened)
        for _ in range(MOST_ENDS):
            await network._open("caller", place, None, "ice", Log())
        assert len(given) == len(set(given)) == 8 * MOST_ENDS
        with pytest.raises(
            ChildError, match=r"caller-0 has had 3968 ends: no unused ports are left"
        ):
            await network._open("caller", place, None, "ice", Log())
        await network._open("callee", place, None, "ice", Log())  # that is another machine


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("ADM/APDF", "has no ADM/APDF NAT"),
            ("EIM/APDF/random", "has no EIM NAT with port allocation random"),
            ("CGN ADM/APDF + EIM/APDF", "has no ADM/APDF NAT"),
        ],
    )
    def test_name_the_place_and_what_is_there(self, name, words):
        place = place_named(name)
        assert refusal(place).startswith(f"{place.name}: the kernel {words}")

    def test_of_nothing(self):
        assert refusal(place_named("open")) == ""


@pytest.mark.parametrize("inside", [here, OnHost(KernelHost("ada", "space", ()), "trusted.pem")])
def test_where_an_end_runs_can_be_told_to_its_process(inside):
    assert pickle.loads(pickle.dumps(inside)) == inside
