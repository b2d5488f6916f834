"""Attempts on this machine's real sockets, with servers that run and servers that do not."""

import asyncio
import random

import pytest

from jamlab.ice.configuration import HOST_ONLY, IceConfiguration, IceServer
from jamlab.measure.connectivity import this_machine
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.record import THIS_MACHINE, ConnectivityRecord
from jamlab.measure.connectivity.this_machine import (
    ThisMachinePlan,
    measure_this_machine,
    with_relay_alone,
)
from jamlab.measure.connectivity.verdicts import connectivity_verdicts
from jamlab.measure.record import RecordError
from jamlab.measure.verdict import exit_status, overall
from jamlab.networks.turn.fault import Fault
from jamlab.networks.turn.server import TurnServer
from tests.measure.connectivity.attempts import campaign

PASSWORD = "a-secret-word"
TURN = IceServer("turn:a.example", "jam", PASSWORD)
PLAN = ThisMachinePlan(calls=2, deadline_s=20.0)


def test_what_may_relay_is_tried_with_its_relay_alone():
    both = IceConfiguration("both", (IceServer("stun:a.example"), TURN))
    relayed = IceConfiguration("relayed", (TURN,), policy="relay")
    stun = IceConfiguration("stun", (IceServer("stun:a.example"),))
    tried = with_relay_alone([both, relayed, stun])
    assert [(each.name, each.policy) for each in tried] == [
        ("both", "all"),
        ("both, relayed", "relay"),
        ("relayed", "relay"),
        ("stun", "all"),
    ]
    assert tried[1].servers == both.servers


async def test_without_any_address_nothing_is_tried(tmp_path, monkeypatch):
    monkeypatch.setattr(this_machine, "host_addresses", lambda: [])
    with pytest.raises(CampaignError, match="bring the loopback up"):
        await measure_this_machine(PLAN, tmp_path, [HOST_ONLY])


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"calls": 0}, "calls is 0"),
        ({"level": "ip"}, "level is 'ip'"),
        ({"deadline_s": 0}, "deadline_s is 0"),
        ({"timeout_s": 0}, "timeout_s is 0"),
    ],
)
def test_parameters_out_of_range(parameters, words):
    with pytest.raises(CampaignError, match=words):
        ThisMachinePlan(**parameters)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], "give your file of ICE configurations"),
        (["a", "a"], "each with its own name"),
        (["a", "a, relayed"], "'a, relayed' is also the name under which 'a' is tried"),
        (["a, relayed", "a"], "'a, relayed' is also the name under which 'a' is tried"),
    ],
)
async def test_configurations_that_cannot_be_told_apart(names, words, tmp_path):
    made = [IceConfiguration(name, (TURN,)) for name in names]
    with pytest.raises(CampaignError, match=words):
        await measure_this_machine(PLAN, tmp_path, made)


@pytest.fixture(scope="module", params=["ice", "dtls"])
def record(request, tmp_path_factory):
    """One configuration that works and one with a wrong password, at either level."""

    async def main():
        async with TurnServer(port=0, users={"jam": PASSWORD}, rng=random.Random(1)) as server:
            url = f"turn:127.0.0.1:{server.address[1]}"
            right = IceConfiguration("right", (IceServer(url, "jam", PASSWORD),))
            wrong = IceConfiguration("wrong", (IceServer(url, "jam", "guessed"),), policy="relay")
            plan = ThisMachinePlan(2, request.param, 20.0)
            told = []
            made = await measure_this_machine(
                plan, folder, [right, wrong, HOST_ONLY], progress=lambda *now: told.append(now)
            )
            await asyncio.get_running_loop().shutdown_default_executor()
            return made, told

    folder = tmp_path_factory.mktemp("record")
    made, told = asyncio.run(main())
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    return made, folder


def test_attempts_go_the_way_the_configuration_says(record):
    made, _ = record
    results = {name: made.of(name)["result"].unique().tolist() for name in made.configurations}
    assert results == {
        "right": ["direct"],
        "right, relayed": ["relayed"],
        "wrong": ["failed"],
        "host only": ["direct"],
    }
    assert (made.attempts["call"].value_counts() == len(results)).all()
    assert set(made.of("right, relayed")["relay_transport"]) == {"udp"}
    assert set(made.of("wrong")["stage"]) == {"gathering"}


def test_the_record_has_the_form_of_a_campaign_s_and_the_servers_beside_it(record):
    made, folder = record
    again = ConnectivityRecord.load(folder)
    assert again.network == THIS_MACHINE
    assert again.provenance["population"] is None
    assert again.with_turn == ["right", "right, relayed", "wrong"]
    assert again.relay_only == ["right, relayed", "wrong"]
    assert again.servers["outcome"].tolist() == ["works", Fault.WRONG_CREDENTIALS]
    assert len(again.attempts) == len(made.attempts) == 2 * 4


def test_no_credential_is_in_it(record):
    _, folder = record
    kept = [path.read_bytes() for path in folder.iterdir()]
    assert len(kept) == 3
    assert not any(PASSWORD.encode() in each or b"guessed" in each for each in kept)


def test_verdicts_are_of_what_was_there_and_of_no_population(record):
    judged = {verdict.name: verdict for verdict in connectivity_verdicts(record[0])}
    assert {name: str(verdict.verdict) for name, verdict in judged.items()} == {
        "share of servers that work": "FAIL",
        "share of attempts that connect (right)": "PASS",
        "share of attempts that connect (right, relayed)": "PASS",
        "share of attempts that connect (wrong)": "FAIL",
        "share of attempts that connect (host only)": "PASS",
    }
    servers = judged["share of servers that work"]
    assert (servers.value, servers.interval) == (50.0, (50.0, 50.0))
    assert "wrong credentials" in servers.reason
    assert "2 failed in gathering" in judged["share of attempts that connect (wrong)"].reason
    assert exit_status(overall(judged.values())) == 1


async def test_without_servers_there_is_nothing_to_judge_of_them(tmp_path):
    made = await measure_this_machine(PLAN, tmp_path, [HOST_ONLY])
    servers, attempts = connectivity_verdicts(made)
    assert str(servers.verdict) == "NOT RUN"
    assert str(attempts.verdict) == "PASS"
    assert len(ConnectivityRecord.load(tmp_path).servers) == 0


def test_a_simulated_campaign_in_the_same_folder_leaves_no_servers(record, tmp_path):
    record[0].save(tmp_path)
    assert (tmp_path / "servers.parquet").exists()
    campaign(calls=3).save(tmp_path)
    assert not (tmp_path / "servers.parquet").exists()
    assert len(ConnectivityRecord.load(tmp_path).servers) == 0


@pytest.mark.parametrize("damage", [None, b"{nonsense"])
def test_servers_that_are_missing_or_broken_are_named(record, tmp_path, damage):
    record[0].save(tmp_path)
    path = tmp_path / "servers.parquet"
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(RecordError, match=r"servers\.parquet (is missing|cannot be read)"):
        ConnectivityRecord.load(tmp_path)
