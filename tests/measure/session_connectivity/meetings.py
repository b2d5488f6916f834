"""Records of sessions made by the rule of who reaches whom, in place of a campaign."""

import json

import numpy as np
import pandas as pd

from jamlab.measure.provenance import provenance
from jamlab.measure.session_connectivity.record import SESSION_COLUMNS, SessionRecord
from tests.measure.connectivity.attempts import HOME, reachable

SERVERS = "STUN+TURN"
TOLD = [[0.04, "caller", "joined"]]


def row(call, caller, callee, result, sound_s=0.4, configuration=SERVERS, **changed):
    """Return one call; the callee hears a little before the caller."""
    sounds, direct = result != "failed", result == "direct"
    return {
        "call": call,
        "configuration": configuration,
        "caller": caller,
        "callee": callee,
        "seed": 1000 + call,
        "result": result,
        "caller_candidate": {"direct": "srflx", "relayed": "relay", "failed": ""}[result],
        "callee_candidate": "srflx" if sounds else "",
        "first_sound_s": sound_s if sounds else np.nan,
        "caller_sound_s": sound_s if sounds else np.nan,
        "callee_sound_s": sound_s - 0.04 if sounds else np.nan,
        "direct_s": sound_s - 0.1 if direct else np.nan,
        "observed_s": sound_s + (0.0 if direct else 10.0) if sounds else 30.0,
        "notices": json.dumps(TOLD),
    } | changed


def table(rows):
    return pd.DataFrame(rows, columns=[*SESSION_COLUMNS]).astype(SESSION_COLUMNS)


def record_of(sessions, population="home", calls=None):
    about = {
        "population": population,
        "population_source": "made up",
        "profile": "same country",
        "configurations": [*sessions["configuration"].unique()],
        "with_stun": [SERVERS],
        "relay_only": [],
        "calls": sessions["call"].nunique() if calls is None else calls,
        "seed": 1,
        "deadline_s": 30.0,
    }
    return SessionRecord(sessions, provenance({"campaign": "made up"}, **about))


def campaign(population=HOME, calls=300, seed=1, relayed_s=0.6, relays=True):
    """Return the record of calls drawn from a population; relayed ones are heard later."""
    names, rng = [place.name for place in population.places], np.random.default_rng(seed)
    rows = []
    for call, pair in enumerate(rng.choice(names, (calls, 2), p=population.weights).tolist()):
        direct, luck_s = reachable(*pair), rng.gamma(3.0, 0.05)
        result = "direct" if direct else "relayed" if relays else "failed"
        rows.append(row(call, *pair, result, (0.3 if direct else relayed_s) + luck_s))
    return record_of(table(rows), population.name)
