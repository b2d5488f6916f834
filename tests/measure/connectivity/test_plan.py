"""The plan of a campaign, and its record."""

import pytest

from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.plan import ConnectivityPlan, measure_connectivity
from jamlab.measure.connectivity.population import PopulationError
from jamlab.measure.connectivity.record import ConnectivityRecord

from .test_campaign import Serial

PLAN = ConnectivityPlan("corporate", calls=5, seed=2)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"calls": 0}, "calls is 0: choose a whole number from 1 to 10000000"),
        ({"seed": -1}, "seed is -1: choose a whole number from 0"),
        ({"deadline_s": 0.5}, "deadline_s is 0.5: choose a number from 1 to 600"),
        ({"deadline_s": float("nan")}, "deadline_s is nan"),
        ({"level": "tcp"}, "level is 'tcp': choose ice or dtls"),
    ],
)
def test_parameters_out_of_range(parameters, words):
    with pytest.raises(CampaignError, match=words):
        ConnectivityPlan(**parameters)


def test_an_unknown_population(tmp_path):
    with pytest.raises(PopulationError, match="there is no population 'mars'"):
        measure_connectivity(ConnectivityPlan("mars"), tmp_path, executor=Serial())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("campaign")
    measure_connectivity(PLAN, made, executor=Serial())
    return made


def test_the_record_says_what_was_asked(folder):
    record = ConnectivityRecord.load(folder)
    assert record.configurations == list(embedded_configurations())
    assert record.with_turn == ["STUN+TURN/UDP", "STUN+TURN/TCP", "relay only"]
    assert record.relay_only == ["relay only"]
    told = record.provenance
    assert [told[key] for key in ("population", "calls", "seed", "level")] == [
        "corporate",
        5,
        2,
        "ice",
    ]
    assert "callstats" in told["population_source"]
    assert len(record.attempts) == 5 * 5


def test_nothing_but_the_record_is_left(folder):
    assert {path.name for path in folder.iterdir()} == {"attempts.parquet", "provenance.json"}


def test_the_same_plan_gives_the_same_bytes(folder, tmp_path):
    measure_connectivity(PLAN, tmp_path, executor=Serial())
    name = "attempts.parquet"
    assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_the_names_of_the_configurations_decide_their_order(tmp_path):
    two = [embedded_configurations()[name] for name in ("relay only", "host only")]
    record = measure_connectivity(PLAN, tmp_path, two, executor=Serial())
    assert record.configurations == ["relay only", "host only"]
