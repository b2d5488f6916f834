"""Tests of jamlab.measure.browser_networks.run: Chromiums in namespaces of this machine."""

import asyncio
import importlib.util
import shutil

import pytest

from jamlab.browsers.installed import INSTALL_DRIVER
from jamlab.measure.across_networks.kernel import Case
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser.verdicts import paths_table
from jamlab.measure.browser_networks import run
from jamlab.measure.browser_networks.plan import BrowserNetworksPlan
from jamlab.measure.browser_networks.record import load_browser_networks
from jamlab.measure.browser_networks.run import (
    measure_browser_case,
    measure_browser_networks,
    trusting,
)
from jamlab.measure.latency.routes import DIRECT, RELAYED, wrong_routes
from jamlab.networks.kernel import coturn
from tests.measure.across_networks.kernel_records import ADDED
from tests.networks.kernel.wires import own_namespaces, reason

from .records import network_record

CASES = Case(None, DIRECT), Case("same country", RELAYED)
DELAY_MS = 16.0
"""Of the profile *same country*, one way."""
why_not = reason or coturn.unavailable()
if why_not is None and shutil.which("chromium") is None:
    why_not = "there is no Chromium: apt-get install chromium"
if why_not is None and importlib.util.find_spec("playwright") is None:
    why_not = f"there is no Playwright: {INSTALL_DRIVER}"


def test_the_argument_names_the_origin_alone():
    assert trusting("http://198.18.0.1:4321/?room=a#key=b") == (
        "--unsafely-treat-insecure-origin-as-secure=http://198.18.0.1:4321"
    )


@pytest.fixture
def measured(monkeypatch):
    """Have cases found as chosen: a record, or an error to raise."""
    found = []

    async def measure(case, plan, folder):
        each = found.pop(0)
        if isinstance(each, Exception):
            raise each
        return each

    monkeypatch.setattr(run, "measure_browser_case", measure)
    monkeypatch.setattr(run, "links_before", lambda: {"added": ADDED, "no_netem": None})
    return found


def plan(**options):
    short = {"duration_s": 3.0, "settle_s": 2.0}
    return BrowserNetworksPlan(CASES, **{**short, **options})


async def test_the_record_of_each_case_is_kept_and_an_earlier_runs_are_not(measured, tmp_path):
    network_record(number=7).save(tmp_path / "07")
    measured += [network_record(), network_record(route=RELAYED, went="relay")]
    records = await measure_browser_networks(plan(), tmp_path)
    assert [each.provenance["number"] for each in records.values()] == [0, 1]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["00", "01"]


async def test_a_case_that_fails_does_not_lose_those_before_it(measured, tmp_path):
    measured += [network_record(), PlayerError("player 2: no sound has arrived")]
    with pytest.raises(PlayerError, match="no sound has arrived"):
        await measure_browser_networks(plan(), tmp_path)
    assert list(load_browser_networks(tmp_path)) == ["same country, direct"]


async def test_a_first_case_that_fails_leaves_the_earlier_run(measured, tmp_path):
    network_record(number=7).save(tmp_path / "07")
    measured.append(PlayerError("player 1: the page crashed"))
    with pytest.raises(PlayerError, match="the page crashed"):
        await measure_browser_networks(plan(), tmp_path)
    assert [record.provenance["number"] for record in load_browser_networks(tmp_path).values()] == [
        7
    ]


@pytest.fixture(scope="module")
def records():
    """Plain cables, direct, and a profile by the relay; three tries each, on a busy machine."""
    before = own_namespaces()

    async def tried(case):
        for _ in range(3):
            record = await measure_browser_case(case, plan())
            if (paths_table(record)["heard_share"] > 0.3).all():
                break
        return record

    async def both():
        return [await tried(case) for case in CASES]

    found = asyncio.run(both())
    assert own_namespaces() == before
    return found


@pytest.mark.slow
@pytest.mark.skipif(why_not is not None, reason=why_not or "")
class TestChromium:
    def test_every_ordered_pair_is_heard(self, records):
        for record in records:
            paths = paths_table(record)
            assert len(paths) == 2
            assert (paths["heard_share"] > 0.3).all()

    def test_packets_go_the_way_they_are_to(self, records):
        for case, record in zip(CASES, records, strict=True):
            assert record.name == case.name
            assert list(wrong_routes(record.provenance)) == []
            relayed = {
                r == "relay" for each in record.provenance["routes"].values() for r in each.values()
            }
            assert relayed == {case.route == RELAYED}

    def test_nothing_is_sooner_than_frame_and_links(self, records):
        """An Opus frame of a browser has 10 ms at least."""
        for case, record in zip(CASES, records, strict=True):
            least_ms = 10.0 + (DELAY_MS if case.profile else 0.0) - record.provenance["error_ms"]
            assert record.clicks["latency_ms"].min() > least_ms

    def test_a_relayed_round_trip_has_the_delay_of_all_links(self, records):
        round_trips_ms = records[1].statistics["round_trip_ms"]
        assert round_trips_ms.min() > 2 * DELAY_MS - 0.1

    def test_the_key_is_in_no_record(self, records):
        for record in records:
            assert "key" not in record.provenance["parameters"]["url"]
