import asyncio

import pytest

from jamlab.measure.latency.plan import ONE_WAY, LatencyPlan
from jamlab.measure.latency.worker import measure_in_worker


@pytest.fixture(scope="session")
def short_plan():
    """The shortest run that has everything in it."""
    return LatencyPlan(peers=2, duration_s=3.0, round_trip_s=3.0, settle_s=1.0, sessions=2)


@pytest.fixture(scope="session")
def real_run(short_plan, tmp_path_factory):
    """A record of real sockets, SRTP and Opus, its folder, and what the worker told of it.

    A machine that is too busy to play most clicks has up to three tries.
    """
    told = []
    for _ in range(3):
        folder = tmp_path_factory.mktemp("record")
        told.clear()
        record = asyncio.run(measure_in_worker(short_plan, folder, lambda *said: told.append(said)))
        one_way = record.clicks[record.clicks["measurement"] == ONE_WAY]
        if one_way["network_ms"].notna().mean() > 0.8:  # a round trip has no stages
            break
    return record, folder, told
