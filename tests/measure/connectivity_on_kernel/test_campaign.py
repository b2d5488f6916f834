"""Calls on this machine's kernel with coturn; tests that need neither are at the end."""

import asyncio
import json

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.plan import ConnectivityPlan
from jamlab.measure.connectivity.population import load_population
from jamlab.measure.connectivity.record import ATTEMPTS, ConnectivityRecord
from jamlab.measure.connectivity_on_kernel import run as kernel_connectivity
from jamlab.measure.connectivity_on_kernel.agreement import (
    GROUPS,
    TYPES,
    agreement_calls,
    agreement_configurations,
    disagreements,
)
from jamlab.measure.connectivity_on_kernel.campaign import Task, log_of, try_on_kernel
from jamlab.measure.connectivity_on_kernel.end_server import EndServer
from jamlab.measure.connectivity_on_kernel.network import KernelNetwork, refusal
from jamlab.measure.connectivity_on_kernel.run import (
    agreement_of,
    buildable,
    measure_agreement,
    measure_on_kernel,
    server_logs,
)
from jamlab.networks.kernel import coturn, namespace, nftables, wiring
from jamlab.networks.kernel import lab as kernel
from jamlab.networks.model.place_names import place_named
from tests.measure.connectivity.attempts import campaign

MISSING = kernel.unavailable() or coturn.unavailable()
needs_kernel = pytest.mark.skipif(MISSING is not None, reason=MISSING or "")

CONFIGURATIONS = {each.name: each for each in agreement_configurations()}
RESTRICTED, SYMMETRIC, BLOCKED = map(place_named, ("port restricted", "symmetric", "UDP blocked"))


def task(caller, callee, configuration, level="ice", deadline_s=8.0):
    call = Call(0, 1, caller, callee, 0.0, 0.0, 0.05)
    return Task(call, CONFIGURATIONS[configuration], level, deadline_s)


class _Ports:
    """Which ports the ends of a campaign get on which machine."""

    def __init__(self, monkeypatch):
        self.given = 0
        self.twice = []
        self._known = set()
        self._open = EndServer.open
        ports = self

        async def opened(server, side, configuration, level, log, inside, given, outside):
            ports.note(inside.host.name, given)
            end = side, configuration, level, log, inside, given, outside
            return await ports._open(server, *end)

        monkeypatch.setattr(EndServer, "open", opened)

    def note(self, machine, ports):
        own = {(machine, port) for port in ports}
        self.given += 1
        self.twice += self._known & own
        self._known |= own


def told(record):
    """Return how the attempts went on which not all agree, and what coturn said."""
    rows = record.table[~record.table["agrees"]][["call", "configuration"]]
    attempts = record.kernel.merge(rows)[["configuration", "stage", "states"]]
    logs = record.server_logs.merge(rows)["log"]
    return "\n".join([*map(str, attempts.to_dict("records")), *logs])


@needs_kernel
class TestAgreement:
    @pytest.mark.slow
    def test_rule_simulator_and_kernel_agree(self, monkeypatch):
        """Every fourth pair of places × every configuration: the same class for all three.

        Every place is in a pair; ``make bench-kernel`` has the whole table.
        """
        ports = _Ports(monkeypatch)
        calls = agreement_calls()[1::4]
        assert {p for c in calls for p in (c.caller, c.callee)} == {p for g in GROUPS for p in g}
        monkeypatch.setattr(kernel_connectivity, "agreement_calls", lambda *_: calls)
        record = measure_agreement()
        assert len(record.table) == 19 * 5
        assert disagreements(record.table) == [], told(record)
        assert ports.given == 2 * 19 * 5
        assert ports.twice == []
        assert ATTEMPTS.fault(record.kernel) == ""
        failed = record.kernel[record.kernel["result"] == "failed"]
        heard = record.server_logs.merge(failed, on=["call", "configuration"])
        assert len(heard) == len(record.server_logs) > 0
        assert heard["log"].str.contains("ALLOCATE processed, success").all()


@pytest.mark.slow
@needs_kernel
class TestAttempts:
    @pytest.fixture(scope="class")
    @classmethod
    def tried(cls):
        """At once: a whole connection over each kind of relay, and some that fail."""
        tasks = {
            "udp": task(RESTRICTED, SYMMETRIC, "STUN+TURN/UDP", "dtls"),
            "tcp": task(BLOCKED, SYMMETRIC, "STUN+TURN/TCP", "dtls", 20.0),
            "tls": task(BLOCKED, RESTRICTED, "STUN+TURN/TLS", "dtls", 20.0),
            "direct": task(RESTRICTED, RESTRICTED, "STUN", "dtls"),
            "never": task(SYMMETRIC, SYMMETRIC, "STUN"),
            "unheard": task(BLOCKED, RESTRICTED, "relay only"),
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(KernelNetwork, "prove", lambda self: None)  # they are, above
            made = try_on_kernel([*tasks.values()])
        return {name: each.attempt for name, each in zip(tasks, made, strict=True)}

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "transport"), [("udp", "udp"), ("tcp", "tcp"), ("tls", "tcp")]
    )
    def test_whole_connections_over_a_relay(self, tried, name, transport):
        attempt = tried[name]
        assert (attempt.result, attempt.relay_transport) == ("relayed", transport)
        assert "relay" in (attempt.caller_candidate, attempt.callee_candidate)

    def test_a_whole_connection_through_two_nats(self, tried):
        attempt = tried["direct"]
        assert attempt.result == "direct"
        assert {attempt.caller_candidate, attempt.callee_candidate} <= {"srflx", "prflx"}
        states = [state for *_, kind, state in json.loads(attempt.states) if kind == "connection"]
        assert states.count("connected") == 2

    def test_stages_of_failure(self, tried):
        assert (tried["never"].result, tried["never"].stage) == ("failed", "deadline")
        assert (tried["unheard"].result, tried["unheard"].stage) == ("failed", "gathering")

    def test_nothing_is_left(self, tried):
        ours = [name for name in namespace.names() if name.startswith(namespace.own_prefix())]
        assert ours == []
        assert not [child for child in psutil.Process().children() if "end_server" in str(child)]


@needs_kernel
class TestEndings:
    def test_a_process_that_is_killed_ends_the_campaign_in_a_sentence(self, monkeypatch):
        opened = EndServer.open

        async def killed(server, side, *rest):
            end = await opened(server, side, *rest)
            if side == "callee":
                for process in psutil.Process(server._server.pid).children():
                    process.kill()
            return end

        monkeypatch.setattr(EndServer, "open", killed)
        monkeypatch.setattr(KernelNetwork, "prove", lambda self: None)
        with pytest.raises(
            CampaignError, match=r"the process of the \w+'s end ended in the middle"
        ):
            try_on_kernel([task(RESTRICTED, RESTRICTED, "STUN")])

    def test_cancelled(self):
        """Whoever gives up an attempt leaves no process of it."""

        async def given_up(network):
            one = task(SYMMETRIC, SYMMETRIC, "STUN", deadline_s=3600.0)
            begun = asyncio.Event()
            starting = _Told(begun)
            trying = asyncio.create_task(
                network.try_call(
                    one.call,
                    one.configuration,
                    one.level,
                    one.deadline_s,
                    user="given up",
                    starting=starting,
                )
            )
            await begun.wait()
            trying.cancel()
            await asyncio.wait((trying,))
            server = psutil.Process(network._ends._server.pid)
            await asyncio.to_thread(psutil.wait_procs, server.children())

        with KernelNetwork([SYMMETRIC]) as network:
            asyncio.run(given_up(network))


class _Told:
    """A context that says when it is left."""

    def __init__(self, event):
        self._event = event

    async def __aenter__(self):
        pass

    async def __aexit__(self, *_):
        self._event.set()


@pytest.mark.slow
@needs_kernel
class TestCampaign:
    def test_is_a_record_like_the_simulated_one(self, monkeypatch, tmp_path):
        monkeypatch.setattr(kernel_connectivity, "GROUPS", (TYPES[:1],))
        monkeypatch.setattr(KernelNetwork, "prove", lambda self: None)
        told = []
        plan = ConnectivityPlan("home", calls=6, deadline_s=4.0)
        record = measure_on_kernel(plan, tmp_path, progress=lambda *each: told.append(each))
        again = ConnectivityRecord.load(tmp_path)
        assert again.network == record.network == "kernel"
        assert ATTEMPTS.fault(again.attempts) == ""
        drawn = [Call.drawn(load_population("home"), plan.seed, n) for n in range(6)]
        calls, left_out = buildable(drawn)
        assert 0 < len(calls) < 6
        assert again.provenance["left_out"] == left_out
        assert again.attempts["call"].unique().tolist() == [call.number for call in calls]
        assert told[-1] == (1.0, "calling on the kernel")
        both = agreement_of(again, tmp_path)
        assert disagreements(both.table) == []
        assert set(server_logs(tmp_path)["call"]) <= set(again.attempts["call"])


@pytest.mark.slow
@needs_kernel
def test_nats_that_are_not_what_they_should_be_are_not_used(monkeypatch):
    """Asked for symmetric ones, it is given others."""
    table = nftables.ruleset
    monkeypatch.setattr(
        wiring, "ruleset", lambda box, public="": table(place_box(RESTRICTED), public)
    )
    with pytest.raises(CampaignError, match=r"calls on this machine's kernel: .*APDM"):
        try_on_kernel([task(SYMMETRIC, SYMMETRIC, "STUN")])


def place_box(place):
    return place.layers[0][0]


class TestWithoutAKernel:
    def test_it_is_said_what_is_missing(self, monkeypatch):
        monkeypatch.setattr(kernel, "unavailable", lambda: "no nft: apt-get install nftables")
        with pytest.raises(CampaignError, match="no nft: apt-get install nftables"):
            try_on_kernel([task(RESTRICTED, RESTRICTED, "STUN")])

    def test_nothing_to_try_is_said(self, monkeypatch, tmp_path):
        monkeypatch.setattr(kernel_connectivity, "refusal", lambda place: f"{place.name}: not it")
        with pytest.raises(CampaignError, match=r"3 of 3 calls are left out, from .*: not it"):
            measure_on_kernel(ConnectivityPlan(calls=3), tmp_path)

    def test_a_simulated_record_has_no_agreement(self, tmp_path):
        assert agreement_of(campaign(calls=3), tmp_path) is None


class TestBuildable:
    def test_all(self):
        calls = agreement_calls()
        assert buildable(calls) == ([*calls], "")

    def test_some(self):
        population = load_population("nat_population")
        calls = [Call.drawn(population, 1, number) for number in range(200)]
        found, left_out = buildable(calls)
        can = {p.name for p in population.places if not refusal(p)}
        assert can == {
            "EIM/APDF/preserve",
            "APDM/APDF/random",
            "EIM/EIF/preserve",
            "EIM/ADF/preserve",
        }
        wanted = [call for call in calls if {call.caller.name, call.callee.name} <= can]
        assert found == wanted
        assert left_out.startswith(f"{200 - len(wanted)} of 200 calls are left out")
        assert "APDM/APDF/preserve" in left_out
        assert "the kernel has no EIM NAT with port allocation random" in left_out


LOG = """\
0: : IO method (main listener thread): epoll (with changelist)
1: : session 001: realm <jamlab.test> user <>: incoming packet message processed, error 401: Un
1: : session 002: realm <jamlab.test> user <>: incoming packet message processed, error 401: Un
1: : session 001: new, realm=<jamlab.test>, username=<1795731635:attempt-2>, lifetime=600
1: : session 002: new, realm=<jamlab.test>, username=<1795731635:attempt-20>, lifetime=600
6: : session 001: peer 10.0.5.1:58365 lifetime updated: 600
7: : session 001: realm <jamlab.test> user <1795731635:attempt-2>: incoming packet REFRESH
"""


class TestLog:
    def test_of_one_user(self):
        """With what was before it had said who it is, and what names nobody."""
        own = log_of(LOG, "attempt-2").splitlines()
        assert len(own) == 4
        assert all("session 001" in line for line in own)

    def test_of_nobody(self):
        assert log_of(LOG, "attempt-3") == ""
        assert log_of("", "attempt-3") == ""

    @given(st.text(), st.text(min_size=1))
    def test_of_anything(self, log, user):
        assert set(log_of(log, user).splitlines()) <= set(log.splitlines())


def test_more_ends_than_a_machine_has_ports_for_are_refused_before_anything_is_built():
    calls = [task(RESTRICTED, SYMMETRIC, "STUN")] * 3969
    with pytest.raises(CampaignError, match=r"3969 attempts have an end at .*only 3968: .*fewer"):
        try_on_kernel(calls)
