"""Attempts tables made by the rule of who reaches whom, in place of a campaign.

The rule (no port prediction, one public address per NAT; RFC 4787's names): both map independently
of the endpoint (EIM): direct. One does not: direct if the other filters EIF or ADF. Both by address
and port (APDM): never. Otherwise: direct if one filters EIF and the other not APDF.
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from jamlab.measure.connectivity.population import Population
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS, STUN_ONLY, ConnectivityRecord
from jamlab.measure.provenance import provenance
from jamlab.networks.model.place_names import place_named

TURN = "STUN + TURN"
LADDER = "STUN, then TURN"
CONE, PORT_RESTRICTED, SYMMETRIC = "EIM/EIF", "EIM/APDF", "APDM/APDF"
OPEN, BLOCKED = "open", "UDP blocked"


@dataclass(frozen=True)
class NamedPlace:
    name: str


@dataclass(frozen=True)
class Drawn:
    """A population whose weights come from a study of `endpoints`; None: they are certain."""

    name: str
    shares: dict[str, float]
    endpoints: int | None = 400
    source: str = "made up"

    @property
    def places(self):
        return tuple(map(NamedPlace, self.shares))

    @property
    def weights(self):
        return np.array(list(self.shares.values()), float)

    def resampled_weights(self, rng, n):
        if self.endpoints is None:
            return np.tile(self.weights, (n, 1))
        return rng.dirichlet(self.endpoints * self.weights + 1e-9, n)


HOME = Drawn("home", {CONE: 0.2, PORT_RESTRICTED: 0.7, SYMMETRIC: 0.1})
MOBILE = Drawn("mobile", {CONE: 0.1, PORT_RESTRICTED: 0.5, SYMMETRIC: 0.4})


POPULATIONS = {population.name: population for population in (HOME, MOBILE)}


def reachable(one, other):
    """Say by the rule whether a direct path between two places exists."""
    if BLOCKED in (one, other):
        return False
    if OPEN in (one, other):
        return True
    (map_a, filter_a), (map_b, filter_b) = (place.split("/")[:2] for place in (one, other))
    if map_a == map_b == "EIM":
        return True
    if "EIM" in (map_a, map_b):
        return (filter_a if map_a == "EIM" else filter_b) in ("EIF", "ADF")
    if map_a == map_b == "APDM":
        return False
    return "EIF" in (filter_a, filter_b) and "APDF" not in (filter_a, filter_b)


def row(call, configuration, caller, callee, result, time_s=0.4, given_up_s=30.0, **changed):
    """Return one attempt; its states are those of a caller that checks and then has its result."""
    connected = result != "failed"
    ends_s = time_s if connected else given_up_s
    kind = {"direct": "srflx", "relayed": "relay", "failed": ""}[result]
    states = [[0.0, "caller", "ice", "new"], [ends_s / 4, "caller", "ice", "checking"]]
    states += [[ends_s, "caller", "ice", "completed"]] if connected else []
    return {
        "call": call,
        "configuration": configuration,
        "caller": caller,
        "callee": callee,
        "seed": 1000 + call,
        "start_skew_s": 0.1,
        "level": "ice",
        "result": result,
        "caller_candidate": kind,
        "callee_candidate": "srflx" if connected else "",
        "relay_transport": "udp" if result == "relayed" else "",
        "time_to_connect_s": ends_s if connected else np.nan,
        "observed_s": ends_s,
        "stage": "" if connected else "deadline",
        "states": json.dumps(states),
    } | changed


def table(rows):
    return pd.DataFrame(rows, columns=list(ATTEMPT_COLUMNS)).astype(ATTEMPT_COLUMNS)


def outcome(configuration, caller, callee, rng, stolen):
    """Return what becomes of a call; TURN steals a share of the direct paths, a ladder none."""
    direct = reachable(caller, callee)
    if configuration == TURN and direct and rng.random() < stolen:
        return "relayed"
    return "direct" if direct else "failed" if configuration == STUN_ONLY else "relayed"


def attempts_between(pairs, configurations=(STUN_ONLY, TURN, LADDER), stolen=0.1, seed=1):
    """Return the attempts of calls between the given pairs of places."""
    rng = np.random.default_rng(seed)
    rows = []
    for call, (caller, callee) in enumerate(pairs):
        for configuration in configurations:
            result = outcome(configuration, caller, callee, rng, stolen)
            wait_s = 5.0 * (configuration == LADDER and result == "relayed")
            time_s = wait_s + rng.gamma(3.0, 0.1)
            rows.append(row(call, configuration, caller, callee, result, time_s))
    return table(rows)


def campaign(population=HOME, calls=300, seed=1, **options):
    """Return the record of calls drawn from a population."""
    names = [place.name for place in population.places]
    drawn = np.random.default_rng(seed).choice(names, (calls, 2), p=population.weights)
    return record_of(attempts_between(drawn.tolist(), seed=seed, **options), population.name)


def many_calls(population, calls, configurations, seed=1):
    """Return the record of as many calls as one likes, drawn from a population.

    Parameters
    ----------
    configurations : dict
        For each by name, what gives the chances of a direct and of a relayed path between two
        places; whoever has neither fails.
    """
    names, rng = [place.name for place in population.places], np.random.default_rng(seed)
    ends = rng.choice(len(names), (calls, 2), p=population.weights)
    tables = []
    for name, chances in configurations.items():
        of_pairs = [[chances(a, b) for b in population.places] for a in population.places]
        direct, relayed = np.array(of_pairs, float)[ends[:, 0], ends[:, 1]].T
        luck = rng.random(calls)
        result = np.where(luck < direct, "direct", "relayed")
        result = np.where(luck < direct + relayed, result, "failed")
        one = pd.DataFrame(row(0, name, "", "", "failed"), index=range(calls))
        caller, callee = np.array(names)[ends.T]
        tables.append(one.assign(call=range(calls), caller=caller, callee=callee, result=result))
    attempts = pd.concat(tables, ignore_index=True)[[*ATTEMPT_COLUMNS]].astype(ATTEMPT_COLUMNS)
    return record_of(attempts, population.name, calls)


def by_rule(one, other):
    """Return the chances of a direct and of a relayed path with STUN alone, for `many_calls`."""
    return float(reachable(one.name, other.name)), 0.0


def record_of(attempts, population="home", calls=None):
    told = {
        "population": population,
        "configurations": list(attempts["configuration"].unique()),
        "with_turn": [TURN, LADDER],
        "relay_only": [],
        "calls": attempts["call"].nunique() if calls is None else calls,
        "seed": 1,
        "level": "ice",
        "deadline_s": 30.0,
    }
    return ConnectivityRecord(attempts, provenance({"campaign": "made up"}, **told))


_SITE = """
from jamlab.measure.connectivity import population

real = population.load_population

def load_population(name):
    from tests.measure.connectivity.attempts import POPULATIONS, published
    return published(POPULATIONS[name]) if name in POPULATIONS else real(name)

population.load_population = load_population
"""


def published(drawn):
    """The same as a population of the package, whose places have boxes."""
    places = tuple(replace(place_named(name), name=name) for name in drawn.shares)
    shares = tuple(drawn.shares.values())
    return Population(drawn.name, places, shares, drawn.endpoints, drawn.source)


def populations_in_kernels(monkeypatch, folder):
    """Have every Python started from here know the populations above by their names."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_SITE)
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(root)]))
