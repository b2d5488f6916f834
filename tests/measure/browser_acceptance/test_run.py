"""Tests of jamlab.measure.browser_acceptance.run: its order and failures, and Chromiums."""

import asyncio
import importlib.util
import shutil
from functools import partial

import pytest

from jamlab.browsers import launch
from jamlab.browsers.installed import INSTALL_DRIVER
from jamlab.measure.acceptance.browser_tests import (
    BLOCKED,
    BROWSER_TESTS,
    LOOPBACK,
    MICROPHONE,
    NETWORKS,
    PAUSES,
    THREE_BROWSERS,
    TWO_BROWSERS,
)
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import AcceptanceError
from jamlab.measure.acceptance.verdicts import acceptance_verdicts, figure_verdicts
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.browser.players import PlayerError
from jamlab.measure.browser_acceptance import networks, run
from jamlab.measure.browser_acceptance.run import (
    browser_acceptance_tests,
    measure_browser_acceptance,
)
from jamlab.measure.browser_acceptance.sound import three_browsers, two_browsers
from jamlab.measure.verdict import Outcome
from tests.measure.browser.records import browser_record, steady

SETTLE_S = 2.0
"""Enough for what is read here, which no buffer's length changes."""
why_not = None
if shutil.which("chromium") is None:
    why_not = "there is no Chromium: apt-get install chromium"
elif importlib.util.find_spec("playwright") is None:
    why_not = f"there is no Playwright: {INSTALL_DRIVER}"


def test_tests_are_in_the_order_of_the_report():
    assert browser_acceptance_tests([]) == BROWSER_TESTS
    assert browser_acceptance_tests([BLOCKED, MICROPHONE]) == (MICROPHONE, BLOCKED)
    with pytest.raises(AcceptanceError, match="no acceptance test two-users: choose microphone"):
        browser_acceptance_tests(["two-users"])


@pytest.fixture
def played(monkeypatch):
    """Have the tests find nothing, quickly; returns how often clicks were measured."""
    measured = []

    async def clicks(plan):
        measured.append(plan)
        return browser_record(steady(30.0))

    async def two(record):
        return Finding(TWO_BROWSERS)

    async def fail():
        raise PlayerError("player 3: the page crashed")

    async def three():
        return Finding(THREE_BROWSERS)

    monkeypatch.setattr(launch, "lacking", lambda: None)
    monkeypatch.setattr(networks, "lacking", lambda: "network namespaces need root: run as root")
    monkeypatch.setattr(run, "measure_browsers", clicks)
    monkeypatch.setattr(run, "two_browsers", two)
    monkeypatch.setattr(run, "three_browsers", three)
    monkeypatch.setattr(run, "blocked_browser", fail)
    return measured


async def test_a_test_that_fails_does_not_keep_others_from_being_played(played, tmp_path):
    tests = (TWO_BROWSERS, THREE_BROWSERS, BLOCKED, LOOPBACK, NETWORKS)
    record = await measure_browser_acceptance(tmp_path, tests)
    assert record.failed == {BLOCKED: "PlayerError: player 3: the page crashed"}
    assert record.not_run == {NETWORKS: ("network namespaces need root", "run as root")}
    assert len(played) == 1
    assert len(record.of(LOOPBACK)) > 2
    judged = {each.name.partition(":")[0]: each.verdict for each in acceptance_verdicts(record)}
    assert judged["blocked browser"] is Outcome.INCONCLUSIVE
    assert judged["loopback of browsers"] is Outcome.PASS
    assert judged["browsers on different networks"] is Outcome.NOT_RUN
    assert AcceptanceRecord.load(tmp_path).tests == [*tests]


@pytest.mark.usefixtures("played")
async def test_an_end_keeps_the_tests_that_were_played(monkeypatch, tmp_path):
    async def ended():
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "three_browsers", ended)
    running = measure_browser_acceptance(tmp_path, (LOOPBACK, BLOCKED, THREE_BROWSERS))
    with pytest.raises(KeyboardInterrupt):
        await running
    assert AcceptanceRecord.load(tmp_path).tests == [LOOPBACK, BLOCKED]


async def test_without_a_browser_nothing_is_run_and_the_remedy_is_told(monkeypatch, tmp_path):
    line = "Chromium, Chrome or Edge is not installed here: apt-get install chromium"
    monkeypatch.setattr(launch, "lacking", lambda: line)
    record = await measure_browser_acceptance(tmp_path)
    for verdict in acceptance_verdicts(record):
        assert verdict.verdict is Outcome.NOT_RUN
        assert "apt-get install chromium" in verdict.reason


def test_a_page_whose_audio_stood_still_proves_nothing():
    finding = Finding(LOOPBACK)
    finding.note("latency there and back between browsers, 95th percentile", "", 60.0)
    finding.note(PAUSES, "", 35.0)
    record = AcceptanceRecord.of_findings([LOOPBACK], [finding], failed={})
    (verdict,) = acceptance_verdicts(record)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert "stood still for 35 ms" in verdict.reason


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    here = (MICROPHONE, TWO_BROWSERS, THREE_BROWSERS, BLOCKED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "CLICKS_S", 6.0)
        patch.setattr(run, "BrowserPlan", partial(BrowserPlan, sessions=2, settle_s=SETTLE_S))
        patch.setattr(run, "two_browsers", partial(two_browsers, settle_s=SETTLE_S))
        patch.setattr(run, "three_browsers", partial(three_browsers, 4.0, SETTLE_S))
        return asyncio.run(measure_browser_acceptance(tmp_path_factory.mktemp("record"), here))


@pytest.mark.slow
@pytest.mark.skipif(why_not is not None, reason=why_not or "")
class TestChromium:
    def test_every_test_comes_to_its_end(self, record):
        assert record.failed == {}
        assert record.not_run == {}

    @pytest.mark.parametrize("test", [MICROPHONE, BLOCKED])
    def test_what_no_busy_machine_changes_passes(self, record, test):
        failed = [each for each in figure_verdicts(record, test) if each.verdict is Outcome.FAIL]
        assert failed == []

    def test_everybody_has_the_meters_of_the_others(self, record):
        figures = record.of(THREE_BROWSERS)
        errors = figures[figures["figure"].str.startswith("error of the level")]
        assert len(errors) == 6
        assert (errors["value"] < 1.0).all()

    def test_no_browser_is_quicker_than_its_frames(self, record):
        figures = record.of(TWO_BROWSERS)
        latencies = figures[figures["figure"].str.startswith("one-way latency")]
        assert len(latencies) == 2
        assert (latencies["value"] > 10.0).all()
