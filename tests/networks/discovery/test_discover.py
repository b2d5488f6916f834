"""Discovery of NATs of known behaviour, on the simulated internet and through real servers."""

import asyncio
import contextlib
import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.discovery import questions
from jamlab.networks.discovery.conclusions import meaning
from jamlab.networks.discovery.discover import DiscoveryError, discover
from jamlab.networks.kernel import coturn
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import (
    FULL_CONE,
    PORT_RESTRICTED,
    Filtering,
    FirewallType,
    Mapping,
    NatType,
    Pooling,
    PortAllocation,
)
from jamlab.networks.model.rule import ALL_TYPES
from jamlab.networks.model.topology import HostConfig, LanConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.stun.client import Retransmission
from jamlab.networks.stun.server import StunServer
from jamlab.networks.turn.server import TurnServer
from tests.examples import examples
from tests.leaks import DEADLINE_S, until
from tests.networks.discovery.discovering import (
    FIELDS,
    STUN,
    answering,
    behind,
    check_reasons,
    stun_server,
    success,
    told,
)
from tests.networks.malformed import mutated
from tests.networks.turn import independent_client as c
from tests.networks.turn.test_servers_interop import coturn as coturn_client
from tests.networks.turn.test_servers_interop import run

HOST, SECOND = "127.0.0.1", "127.0.0.2"
NINE = ALL_TYPES[1:]
NATS = pytest.mark.parametrize("nat", NINE, ids=lambda nat: f"{nat.mapping}/{nat.filtering}")
needs_coturn = pytest.mark.skipif(
    coturn.unavailable() is not None, reason=coturn.unavailable() or ""
)


def strictest(*values):
    """Of two boxes in a row, the stricter decides (both enumerations go from lenient to strict)."""
    return max(values, key=list(type(values[0])).index)


def hairpinning_of(nat):
    """What can be known of it: a filter that was told of another address hides it."""
    visible = nat.mapping is Mapping.EIM or nat.filtering is Filtering.EIF
    return nat.hairpinning if visible else None


class TestOneNat:
    @NATS
    @pytest.mark.parametrize("allocation", PortAllocation)
    @pytest.mark.parametrize("hairpinning", [False, True])
    def test_is_named_as_it_was_asked_for(self, nat, allocation, hairpinning):
        nat = NatType(nat.mapping, nat.filtering, allocation, hairpinning=hairpinning)
        found, _ = told(behind(nat))
        assert (found.udp_blocked, found.nat) == (False, True)
        assert (found.mapping, found.filtering) == (nat.mapping, nat.filtering)
        assert found.hairpinning is hairpinning_of(nat)
        assert found.ports_preserved is (allocation is PortAllocation.PRESERVE)

    @NATS
    @pytest.mark.parametrize("loss", [0.1, 0.25])
    def test_loss_is_no_filter(self, nat, loss):
        """A quarter lost each way leaves 56 % of the questions answered."""
        nat = NatType(nat.mapping, nat.filtering, hairpinning=True)
        link = LinkConfig(delay_s=0.02, jitter_s=0.005, loss=loss, duplication=0.05)
        for seed in range(4):
            found, _ = told(behind(nat, link=link), seed=seed)
            assert found.mapping in (nat.mapping, None)
            assert found.filtering in (nat.filtering, None)
            assert found.hairpinning in (hairpinning_of(nat), True)
            assert loss > 0.1 or (found.mapping, found.filtering) == (nat.mapping, nat.filtering)

    @given(st.integers(0, 2**32), st.sampled_from(NINE), st.floats(0, 0.6), st.floats(1, 5))
    @examples(150, derandomize=True)  # a false silence is rare, not impossible
    def test_loss_never_makes_it_another(self, seed, nat, loss, burst):
        burst = max(burst, loss / (1 - loss), 1.0)
        link = LinkConfig(delay_s=0.03, loss=loss, burst_packets=burst)
        found, _ = told(behind(nat, link=link), seed=seed)
        assert found.mapping in (nat.mapping, None)
        assert found.filtering in (nat.filtering, None)

    def test_lossless_takes_seconds(self):
        """The timing is the rounds': virtual time holds nothing else."""
        link = LinkConfig(delay_s=0.05)
        for nat in NINE:
            _, took_s = told(behind(nat, link=link))
            assert took_s < 5

    def test_with_several_outside_hosts(self):
        nat = NatType(Mapping.EIM, Filtering.ADF, pooling=Pooling.ARBITRARY)
        for seed in range(8):
            found, _ = told(behind(nat, addresses=4), seed=seed)
            assert (found.mapping, found.filtering) == (Mapping.EIM, Filtering.ADF)

    def test_addresses_are_the_hosts_and_the_nats(self):
        found, _ = told(behind(PORT_RESTRICTED))
        assert found.server == ("198.18.0.1", 3478)
        assert found.local[0].startswith("10.")
        assert found.mapped == ("198.18.0.3", found.local[1])
        assert found.round_trip_s == 0


class TestSeveralBoxes:
    @pytest.mark.parametrize(("inner", "outer"), [*product(NINE, repeat=2)])
    def test_the_strictest_of_two_nats_decides(self, inner, outer):
        found, _ = told(behind(inner, outer))
        assert found.mapping is strictest(inner.mapping, outer.mapping)
        assert found.filtering is strictest(inner.filtering, outer.filtering)

    @pytest.mark.parametrize(("inner", "outer"), [*product([False, True], repeat=2)])
    def test_the_outer_one_turns_back(self, inner, outer):
        """The inner one never sees a packet for its own outside."""
        nats = (
            NatType(Mapping.EIM, Filtering.APDF, hairpinning=hairpinning)
            for hairpinning in (inner, outer)
        )
        found, _ = told(behind(*nats))
        assert found.hairpinning is outer

    def test_ports_are_preserved_by_both_or_not(self):
        random = NatType(Mapping.EIM, Filtering.EIF, PortAllocation.RANDOM)
        assert told(behind(FULL_CONE, FULL_CONE))[0].ports_preserved is True
        assert told(behind(random, FULL_CONE))[0].ports_preserved is False
        assert told(behind(FULL_CONE, random))[0].ports_preserved is False

    @pytest.mark.parametrize("filtering", Filtering)
    def test_a_firewall_alone_translates_nothing(self, filtering):
        found, _ = told(behind(FirewallType(filtering)))
        assert (found.nat, found.mapping) == (False, Mapping.EIM)
        assert found.filtering is filtering
        assert found.mapped == found.local
        assert found.reasons["hairpinning"] == "there is no NAT"

    def test_a_firewall_before_a_full_cone(self):
        member = behind(FULL_CONE)
        member = LanConfig(
            member.name, member.members, boxes=(*member.boxes, FirewallType(Filtering.ADF))
        )
        assert told(member)[0].filtering is Filtering.ADF

    def test_nothing(self):
        found, _ = told(behind())
        assert (found.nat, found.mapping, found.filtering) == (False, Mapping.EIM, Filtering.EIF)
        assert found.mapped == found.local


class TestBlocked:
    def turn_server(self, internet):
        host = internet.host("stun").addresses[0]
        return TurnServer(host, STUN[1], users={}, rng=asyncio.get_running_loop().random)

    def test_udp_alone(self):
        found, _ = told(behind(FirewallType(udp_blocked=True)), server=self.turn_server)
        assert found.udp_blocked is True
        assert found.mapping is found.filtering is found.nat is None
        assert found.reasons["mapping"] == "UDP is blocked: the server answers only over TCP"

    def test_or_is_the_server_down(self):
        """One that has no TCP is as silent as one that is not there: that is not known."""
        found, took_s = told(behind(FirewallType(udp_blocked=True)))
        assert found.udp_blocked is None
        assert "down, or blocked" in found.reasons["udp_blocked"]
        assert took_s < 20

    def test_what_is_not_blocked_is_not_said_to_be(self):
        found, _ = told(behind(PORT_RESTRICTED), server=self.turn_server)
        assert found.udp_blocked is False


class TestLifetime:
    @pytest.mark.parametrize(
        ("mapping_s", "filtering_s"), [(30, 30), (120, 120), (300, 60), (61, 300), (0.5, 0.5)]
    )
    @pytest.mark.parametrize("inbound_refresh", [False, True])
    def test_is_the_shorter_of_the_nats(self, mapping_s, filtering_s, inbound_refresh):
        nat = NatType(
            Mapping.EIM,
            Filtering.APDF,
            PortAllocation.RANDOM,
            mapping_lifetime_s=mapping_s,
            filtering_lifetime_s=filtering_s,
            inbound_refresh=inbound_refresh,
        )
        found, _ = told(behind(nat), lifetime_limit_s=360, lifetime_resolution_s=2)
        low_s, high_s = found.lifetime_s
        assert low_s <= min(mapping_s, filtering_s) <= high_s
        assert high_s - low_s < 2 + 1  # that is how long asking takes

    @given(
        st.sampled_from(NINE),
        st.floats(2, 400),
        st.floats(0, 0.15),
        st.floats(0, 0.1),
        st.booleans(),
        st.integers(0, 1000),
    )
    @examples(60, derandomize=True)
    def test_is_within_the_bounds(self, nat, lifetime_s, loss, delay_s, inbound_refresh, seed):
        """With loss the bounds may be wide, never wrong."""
        nat = NatType(
            nat.mapping,
            nat.filtering,
            PortAllocation.RANDOM,
            mapping_lifetime_s=lifetime_s,
            inbound_refresh=inbound_refresh,
        )
        link = LinkConfig(delay_s=delay_s, loss=loss)
        found, _ = told(behind(nat, link=link), seed=seed, lifetime_limit_s=500)
        assert found.lifetime_s is None or (
            found.lifetime_s[0] <= min(lifetime_s, 300) <= found.lifetime_s[1]
        )
        assert loss > 0 or found.lifetime_s[1] - found.lifetime_s[0] < 6.5

    def test_longer_than_the_limit(self):
        found, took_s = told(behind(PORT_RESTRICTED), lifetime_limit_s=100)
        assert found.lifetime_s == (100, float("inf"))
        assert took_s < 110

    def test_takes_little_longer_than_three_of_it(self):
        nat = NatType(Mapping.EIM, Filtering.APDF, mapping_lifetime_s=30)
        _, took_s = told(behind(nat), lifetime_limit_s=540)
        assert took_s < 3 * 30 + 540 / 9 + 20

    def test_of_a_firewall(self):
        found, _ = told(behind(FirewallType(lifetime_s=50)), lifetime_limit_s=90)
        assert found.lifetime_s[0] <= 50 <= found.lifetime_s[1]

    def test_of_the_shorter_of_two_nats(self):
        inner = NatType(Mapping.EIM, Filtering.EIF, mapping_lifetime_s=50)
        outer = NatType(Mapping.EIM, Filtering.EIF, mapping_lifetime_s=150)
        for boxes in ((inner, outer), (outer, inner)):
            found, _ = told(behind(*boxes), lifetime_limit_s=90)
            assert found.lifetime_s[0] <= 50 <= found.lifetime_s[1] < 60

    def test_is_asked_of_a_server_with_one_host_too(self):
        found, _ = told(behind(PORT_RESTRICTED), addresses=1, lifetime_limit_s=10)
        assert found.lifetime_s == (10, float("inf"))

    @pytest.mark.parametrize("limit_s", [0, -1, float("nan"), float("inf")])
    def test_without_sense(self, limit_s):
        with pytest.raises(ValueError, match="give seconds above 0"):
            told(behind(), lifetime_limit_s=limit_s)

    def test_where_a_nat_has_several_hosts(self):
        """The answer goes to that of the port that asks, so it may miss the other port's."""
        nat = NatType(Mapping.EIM, Filtering.EIF, PortAllocation.RANDOM, pooling=Pooling.ARBITRARY)
        runs = [
            told(behind(nat, addresses=2), seed=seed, lifetime_limit_s=20)[0] for seed in range(20)
        ]
        assert all(found.lifetime_s is None or found.lifetime_s[1] > 300 for found in runs)
        assert any(
            "has several outside hosts" in found.reasons.get("lifetime_s", "") for found in runs
        )


def mapped(source):
    return c.XOR_MAPPED_ADDRESS, c.xor_address(source)


def other(address):
    return c.OTHER_ADDRESS, c.plain_address(address)


def code(number):
    return c.ERROR_CODE, bytes([0, 0, number // 100, number % 100]) + b"No\0\x1b[31m"


class TestServersThatCannotTell:
    """Each of them is told in words, and what it can tell is told all the same."""

    def found(self, answer, member=None, **options):
        member = behind(PORT_RESTRICTED) if member is None else member
        return told(member, server=answering(answer), **options)[0]

    def test_no_second_address(self):
        found, _ = told(behind(PORT_RESTRICTED), addresses=1)
        assert (found.nat, found.ports_preserved) == (True, True)
        assert found.mapping is found.filtering is None
        assert "has no second address (OTHER-ADDRESS)" in found.reasons["mapping"]
        assert "has no second address" in found.reasons["filtering"]

    def test_no_second_address_but_no_nat_either(self):
        found, _ = told(behind(FirewallType()), addresses=1)
        assert (found.nat, found.mapping, found.filtering) == (False, Mapping.EIM, None)

    def test_no_second_address_yet_hairpinning(self):
        nat = NatType(Mapping.EIM, Filtering.APDF, hairpinning=True)
        assert told(behind(nat), addresses=1)[0].hairpinning is True

    def test_a_second_address_that_does_not_answer(self):
        def answer(data, source):
            yield success(data, mapped(source), other(("198.18.0.77", 3479)))

        found = self.found(answer)
        assert found.reasons["mapping"] == "the server's second host does not answer"
        assert "ignores CHANGE-REQUEST" in found.reasons["filtering"]

    def test_silence_of_an_address_nobody_can_ask(self):
        """What looks like APDF is a server that cannot send from there."""

        def answer(data, source):
            if len(data) == 20:
                yield success(data, mapped(source), other(("198.18.0.77", 3479)))

        found = self.found(answer, behind(FULL_CONE))
        assert found.filtering is None
        assert found.reasons["filtering"] == (
            "the server's first host does not answer at its second port"
        )

    @pytest.mark.parametrize("second", [("198.18.0.1", 3479), ("198.18.0.2", 3478)])
    def test_a_second_address_that_is_half_the_first(self, second):
        def answer(data, source):
            yield success(data, mapped(source), other(second))

        assert "same host or port" in self.found(answer).reasons["mapping"]

    def test_refusing_to_change(self):
        def answer(data, source):
            if len(data) > 20:
                yield success(data, code(420), class_=c.ERROR)
            else:
                yield success(data, mapped(source), other(("198.18.0.2", 3479)))

        reason = self.found(answer).reasons["filtering"]
        assert reason == "the server refuses to answer from another address (420 No[31m)"

    def test_refusing_everything(self):
        found = self.found(lambda data, _: [success(data, code(401), class_=c.ERROR)])
        assert found.udp_blocked is False
        assert "refuses to answer (401" in found.reasons["nat"]

    def test_an_error_without_its_code(self):
        found = self.found(lambda data, _: [success(data, class_=c.ERROR)])
        assert "its answer cannot be used: an error response without" in found.reasons["nat"]

    def test_no_address_in_the_answer(self):
        found = self.found(lambda data, _: [success(data)])
        assert "has no mapped IPv4 address" in found.reasons["mapping"]

    def test_an_ipv6_address_in_the_answer(self):
        ipv6 = c.XOR_MAPPED_ADDRESS, b"\0\2" + bytes(18)
        assert self.found(lambda data, _: [success(data, ipv6)]).mapped is None

    @pytest.mark.parametrize("answers", range(1, 13))
    def test_falling_silent(self, answers):
        """Silence counts from the eighth control on; three questions come before the first."""
        served = []

        def answer(data, source):
            served.append(data)
            if len(served) <= answers:
                yield success(data, mapped(source))

        found = self.found(answer, lifetime_limit_s=10)
        assert found.nat is True
        why = "hairpinned it and then filtered it" if answers >= 3 + 8 else "stopped answering"
        assert why in found.reasons["hairpinning"]
        assert "stopped answering" in found.reasons["lifetime_s"]

    @pytest.mark.parametrize("answers", range(1, 10))
    def test_falling_silent_while_it_filters(self, answers):
        """Its second address answers who asks, the first too few of the controls."""
        plain = []

        class Server(StunServer):
            def _received(self, data, source, local):
                if local == self.addresses[0]:
                    plain.append(data)
                    if len(plain) > answers or len(data) > 20:
                        return
                super()._received(data, source, local)

        found, _ = told(
            behind(FULL_CONE), server=lambda net: Server(net.host("stun").addresses, STUN[1])
        )
        assert "stopped answering" in found.reasons["filtering"]

    def test_only_rfc_3489s_attributes(self):
        """MAPPED-ADDRESS and CHANGED-ADDRESS are the same under older names."""
        old = 0x0005

        def answer(data, source):
            yield success(
                data,
                (c.MAPPED_ADDRESS, c.plain_address(source)),
                (old, c.plain_address(("198.18.0.77", 3479))),
            )

        found = self.found(answer)
        assert found.mapped is not None
        assert found.reasons["mapping"] == "the server's second host does not answer"

    @pytest.mark.parametrize(
        ("refusal", "reason"),
        [(True, "refuses RESPONSE-PORT"), (False, "ignores RESPONSE-PORT")],
    )
    def test_no_response_port(self, refusal, reason):
        def answer(data, source):
            if refusal and len(data) > 20:
                yield success(data, code(420), class_=c.ERROR)
            else:
                yield success(data, mapped(source))

        assert reason in self.found(answer, lifetime_limit_s=10).reasons["lifetime_s"]

    def test_a_response_port_that_is_never_reached(self):
        def answer(data, source):
            if len(data) == 20:
                yield success(data, mapped(source))

        assert "never arrive" in self.found(answer, lifetime_limit_s=10).reasons["lifetime_s"]

    def test_an_echo_is_no_answer(self):
        found = self.found(lambda data, _: [data])
        assert (found.mapped, found.udp_blocked) == (None, False)
        assert "a request instead of a response" in found.reasons["nat"]


ADDRESS = st.tuples(st.ip_addresses(v=4).map(str), st.integers(0, 65535))
HOSTS = st.sampled_from(["198.18.0.1", "198.18.0.2", "198.18.0.77", "10.0.1.1", "0.0.0.0"])
NEAR = st.tuples(HOSTS, st.sampled_from([0, 1, 3478, 3479, 50000]))


@st.composite
def replies(draw):
    """Return how to make one reply: a well-formed lie, or garbage with the right transaction ID."""
    kind = draw(st.sampled_from(["lie", "lie", "error", "garbage", "noise"]))
    seen = draw(st.none() | NEAR | ADDRESS)
    second = draw(st.none() | NEAR | ADDRESS)
    raw = draw(mutated())
    noise = draw(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=12)), max_size=2))

    def reply(data, source):
        if kind == "noise":
            return raw
        if kind == "garbage":
            return raw[:8] + data[8:20] + raw[20:]
        if kind == "error":
            return success(data, *noise, code(500), class_=c.ERROR)
        attributes = [mapped(seen or source), *noise]
        return success(data, *attributes, *([other(second)] if second else []))

    return reply


class TestHostileServers:
    @given(st.lists(replies(), max_size=4), st.booleans())
    @examples(200)
    def test_nothing_they_say_ends_or_holds_it_up(self, made, lifetime):
        """`told` checks that all that is not known has a reason."""
        asked = []

        def answer(data, source):
            asked.append(data)
            if not made:
                return []
            return [made[len(asked) % len(made)](data, source)]

        options = {"lifetime_limit_s": 30} if lifetime else {}
        found, took_s = told(behind(PORT_RESTRICTED), server=answering(answer), **options)
        assert took_s < 300
        assert set(found.to_dict()) >= set(FIELDS)
        assert meaning(found)
        assert len(asked) < 5000


class TestCancelled:
    @given(st.floats(0, 60), st.sampled_from(NINE))
    @examples(60)
    def test_at_any_time_no_port_stays_open(self, after_s, nat):
        link = LinkConfig(delay_s=0.02, loss=0.2)

        async def main():
            internet = Internet(Topology((HostConfig("stun", addresses=2), behind(nat, link=link))))
            ada = internet.host("ada")
            with internet.host("stun"):
                await stun_server(internet).__aenter__()
            with ada, contextlib.suppress(TimeoutError):
                async with asyncio.timeout(after_s):
                    await discover(STUN, lifetime_limit_s=40)
            assert ada._sockets == {}
            assert asyncio.all_tasks() == {asyncio.current_task()}

        run_simulated(main())


class TestWhomToAsk:
    def test_a_name(self):
        assert told(behind())[0].server == ("198.18.0.1", 3478)

    @pytest.mark.parametrize(
        ("server", "options", "words"),
        [
            (("nowhere", 3478), {}, "'nowhere' has no IPv4 address"),
            (("stun", 0), {}, "port out of range: give 1 to 65535"),
            (("stun", 65536), {}, "port out of range"),
            (("stun", 3478), {"bind": "::1"}, "'::1' is not an IPv4 address"),
            (("stun", 3478), {"bind": "home"}, "'home' is not an IPv4 address"),
            (("stun", 3478), {"bind": "192.0.2.1"}, r"cannot listen for UDP at 192\.0\.2\.1"),
        ],
    )
    def test_mistakes(self, server, options, words):
        async def main():
            internet = Internet(Topology((HostConfig("stun"), behind())))
            with internet.host("ada"):
                await discover(server, **options)

        with pytest.raises(DiscoveryError, match=words):
            run_simulated(main())

    async def test_a_name_that_is_none(self):
        with pytest.raises(DiscoveryError, match=r"has no IPv4 address \([^[]"):
            await discover(("a" * 70, 3478))
        await asyncio.get_running_loop().shutdown_default_executor()


def natdiscovery(address):
    """coturn's own client, asking for mapping and filtering."""
    host, port = address
    return run("turnutils_natdiscovery", "-m", "-f", "-L", HOST, "-p", port, host)


@pytest.mark.usefixtures("nothing_left")
class TestRealSockets:
    """There is no NAT between two sockets of one machine."""

    async def test_no_nat_on_this_machine(self):
        async with StunServer((HOST, SECOND), port=0) as server:
            found = await discover(server.addresses[0], lifetime_limit_s=0.2)
        check_reasons(found)
        assert (found.nat, found.mapping, found.filtering) == (False, Mapping.EIM, Filtering.EIF)
        assert found.mapped == found.local
        assert found.lifetime_s == (0.2, float("inf"))
        assert found.round_trip_s > 0

    async def test_bound(self):
        async with StunServer((HOST, SECOND), port=0) as server:
            found = await discover(server.addresses[0], bind="127.0.0.3")
        assert found.local[0] == found.mapped[0] == "127.0.0.3"

    async def test_an_address_of_nobodys(self):
        with pytest.raises(DiscoveryError, match=r"UDP at 192\.0\.2\.1:0 .*: choose an address"):
            await discover((HOST, 3478), bind="192.0.2.1")

    async def test_what_the_system_does_not_send(self, monkeypatch):
        """Broadcasts need a permission nobody has asked for."""
        monkeypatch.setattr(questions, "PATIENCE", Retransmission(rto_s=0.01, rc=2, rm=1))
        found = await discover(("255.255.255.255", 3478), bind=HOST)
        check_reasons(found)
        assert found.udp_blocked is None
        assert "this machine cannot send to the server: [Errno" in found.reasons["nat"]
        with pytest.raises(DiscoveryError, match=r"no route to 255\.255\.255\.255 \(Perm"):
            await discover(("255.255.255.255", 3478))

    async def test_given_up_half_way_nothing_is_left(self):
        async with StunServer((HOST, SECOND), port=0) as server:
            task = asyncio.create_task(discover(server.addresses[0], lifetime_limit_s=3600))
            await until(lambda: server.counters.answered > 20)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    @needs_coturn
    async def test_coturn(self):
        with coturn.Coturn() as server:
            address = server.addresses[0], server.port
            found = await discover(address, lifetime_limit_s=0.2)
        check_reasons(found)
        assert (found.nat, found.mapping, found.filtering) == (False, Mapping.EIM, Filtering.EIF)
        assert found.lifetime_s == (0.2, float("inf"))  # so it knows RESPONSE-PORT

    @needs_coturn
    async def test_coturn_with_one_address(self):
        class OneAddress:
            addresses = (HOST,)
            inside = staticmethod(coturn._ThisMachine().inside)

        with coturn.Coturn(OneAddress()) as server:
            found = await discover((HOST, server.port), lifetime_limit_s=0.2)
        assert "no second address" in found.reasons["filtering"]
        assert "ignores RESPONSE-PORT" in found.reasons["lifetime_s"]

    @needs_coturn
    @coturn_client
    @pytest.mark.parametrize("theirs", [True, False], ids=["coturn", "ours"])
    async def test_says_what_coturns_client_says(self, theirs):
        with coturn.Coturn() as server:
            async with StunServer((HOST, SECOND), port=0) as own:
                address = (HOST, server.port) if theirs else own.addresses[0]
                async with asyncio.timeout(DEADLINE_S):
                    found, printed = await asyncio.gather(
                        discover(address),
                        run(
                            "turnutils_natdiscovery", "-m", "-f", "-L", HOST, "-p", address[1], HOST
                        ),
                    )
        words = {
            Mapping.EIM: r"NAT with Endpoint Independent Mapping!",
            Filtering.EIF: r"NAT with Endpoint Independent Filtering!",
        }
        assert "No NAT!" in printed
        assert found.nat is False
        assert re.search(words[found.mapping], printed)
        assert re.search(words[found.filtering], printed)
