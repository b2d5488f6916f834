"""The plan of a campaign of sessions, and both records in one folder."""

import json
import math

import pytest

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.plan import ConnectivityPlan
from jamlab.measure.connectivity.population import PopulationError, load_population
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.session_connectivity.plan import (
    ALL_SERVERS,
    SessionPlan,
    SessionTrial,
    measure_sessions,
    sessions_campaign,
    sessions_of,
)
from jamlab.measure.session_connectivity.record import SESSION_COLUMNS, SESSIONS, SessionRecord
from jamlab.networks.model.profile import UnknownProfileError, profile_named
from tests.measure.connectivity.test_campaign import Serial

PLAN = SessionPlan("home", calls=4, seed=2)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"calls": 0}, CampaignError, "calls is 0: choose a whole number from 1 to 10000000"),
        ({"seed": -1}, CampaignError, "seed is -1: choose a whole number from 0"),
        ({"deadline_s": math.nan}, CampaignError, "deadline_s is nan: choose a number from 1"),
        ({"profile": "mars"}, UnknownProfileError, "no network profile 'mars': choose LAN"),
    ],
)
def test_parameters_out_of_range(parameters, error, words):
    with pytest.raises(error, match=words):
        SessionPlan(**parameters)


def test_an_unknown_population():
    with pytest.raises(PopulationError, match="there is no population 'mars'"):
        sessions_campaign(SessionPlan("mars"), executor=Serial())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("campaign")
    agents = ConnectivityPlan("home", calls=6, seed=2)
    measure_sessions(PLAN, made, agents=agents, executor=Serial())
    return made


def test_each_record_says_what_was_asked(folder):
    sessions, agents = sessions_of(folder), ConnectivityRecord.load(folder)
    told = {key: sessions.provenance[key] for key in ("population", "calls", "seed", "profile")}
    assert told == {"population": "home", "calls": 4, "seed": 2, "profile": "same country"}
    assert sessions.configurations == ["STUN+TURN"]
    assert sessions.provenance["with_stun"] == ["STUN+TURN"]
    assert sessions.provenance["relay_only"] == []
    assert agents.configurations == [*embedded_configurations()]
    assert agents.provenance["calls"] == 6


def test_sessions_and_agents_make_the_same_calls(folder):
    ends = ["call", "caller", "callee", "seed"]
    sessions = sessions_of(folder).sessions[ends]
    agents = ConnectivityRecord.load(folder).of("STUN")[ends].head(4)
    assert sessions.to_numpy().tolist() == agents.to_numpy().tolist()


def test_both_records_give_the_population_the_same_name(tmp_path):
    """Its features have the shares that jamlab's data give them."""
    plan = SessionPlan("home+ipv6+mapping=20", calls=1)
    agents = measure_sessions(plan, tmp_path, executor=Serial())
    sessions = sessions_of(tmp_path)
    assert sessions.provenance["population"] == agents.provenance["population"]
    assert sessions.provenance["population"] == load_population(plan.population).name


def test_nothing_but_the_records_is_left(folder):
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    own = {"attempts.parquet", "provenance.json"}
    assert found == own | {"sessions/sessions.parquet", "sessions/provenance.json"}


def test_the_same_plan_gives_the_same_bytes(folder, tmp_path):
    sessions_campaign(PLAN, executor=Serial()).save(tmp_path)
    name = "sessions.parquet"
    assert (tmp_path / name).read_bytes() == (folder / "sessions" / name).read_bytes()


def test_an_interrupted_campaign_is_continued(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("jamlab.measure.connectivity.campaign.CHUNK_CALLS", 2)
    with pytest.raises(KeyboardInterrupt):
        sessions_campaign(PLAN, executor=Serial(1, KeyboardInterrupt()), folder=tmp_path)
    rest = Serial()
    record = sessions_campaign(PLAN, executor=rest, folder=tmp_path)
    assert rest.done == 1
    assert record.sessions.to_csv() == sessions_of(folder).sessions.to_csv()


def test_a_campaign_of_agents_alone_has_no_sessions(tmp_path):
    assert sessions_of(tmp_path) is None


def test_sessions_meet_under_each_given_configuration(tmp_path):
    secret = IceServer("turn:turn.example.org", "jam", "a secret word")
    own = IceConfiguration("mine", (secret,), "relay"), IceConfiguration("none")
    record = sessions_campaign(
        SessionPlan("home", calls=1), own, executor=Serial(), folder=tmp_path
    )
    assert record.configurations == ["mine", "none"]
    assert (record.provenance["with_stun"], record.provenance["relay_only"]) == ([], ["mine"])
    assert "a secret word" not in json.dumps(record.provenance)


class TestTrial:
    TRIAL = SessionTrial(profile_named("LAN").access(), 30.0)

    def test_a_row_has_the_columns_of_a_record(self):
        call = Call.drawn(load_population("home"), 1, 0)
        row = self.TRIAL.row(call, ALL_SERVERS)
        assert [*row] == [*self.TRIAL.columns] == [*SESSION_COLUMNS]
        assert (row["call"], row["caller"], row["seed"]) == (0, call.caller.name, call.seed)

    def test_its_parameters_have_no_credential(self):
        secret = IceServer("turn:turn.example.org", "jam", "a secret word")
        told = json.dumps(self.TRIAL.parameters([IceConfiguration("mine", (secret,))]))
        assert "a secret word" not in told
        assert "turn.jamlab.test" in told


def test_progress_is_of_both_campaigns(tmp_path):
    told = []
    measure_sessions(
        SessionPlan("home", calls=1),
        tmp_path,
        executor=Serial(),
        progress=lambda done, doing: told.append((done, doing)),
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (told[0], told[-1]) == ((0.0, "calling"), (1.0, "sessions meet"))
    record = SessionRecord.load(tmp_path / "sessions")
    assert SESSIONS.fault(record.sessions) == ""
