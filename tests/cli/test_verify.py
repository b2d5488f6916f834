"""``jamlab verify --player browser``: the acceptance tests that browsers play."""

import json

import pytest

from jamlab.browsers import launch
from jamlab.cli import commands as cli
from jamlab.cli import verify as command
from jamlab.measure.acceptance.browser_tests import BROWSER_TESTS, LOOPBACK, ROUND_TRIP
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.report.page.html import BROWSER_ACCEPTANCE_FOLDER
from tests.report.page.pages import Page


def verify(tmp_path, *options):
    return cli.main(["verify", "--player", "browser", "--out", str(tmp_path), *options])


@pytest.fixture
def asked(monkeypatch):
    """Have every test find a loopback of 80 ms; returns the tests that were asked for."""
    tests_asked = []

    async def measure(folder, tests, progress):
        tests_asked.append(tests)
        progress(0.5, "loopback of browsers")
        finding = Finding(LOOPBACK)
        finding.note(ROUND_TRIP, "player 1 → player 2 → player 1", 80.0)
        record = AcceptanceRecord.of_findings(tests, [finding], failed={})
        record.save(folder)
        return record

    monkeypatch.setattr(command, "measure_browser_acceptance", measure)
    return tests_asked


@pytest.mark.slow
def test_it_is_judged_and_has_a_page_of_its_own(asked, tmp_path, capsys):
    assert verify(tmp_path, "--only", LOOPBACK, "--json") == 0
    assert asked == [(LOOPBACK,)]
    (judged,) = json.loads(capsys.readouterr().out)
    assert judged["verdict"] == "PASS"
    written = tmp_path / f"{BROWSER_ACCEPTANCE_FOLDER}.html"
    page = Page(written.read_text(encoding="utf-8"))
    assert "1 test played by browsers" in page.text
    assert "This test was not requested." in page.text
    assert page.addresses == []
    written.unlink()
    assert cli.main(["report", str(tmp_path / BROWSER_ACCEPTANCE_FOLDER), "--json"]) == 0
    assert written.exists()


@pytest.mark.slow
def test_without_a_browser_all_are_not_run_with_the_line_that_installs_one(
    monkeypatch, tmp_path, capsys
):
    line = "Chromium, Chrome or Edge is not installed here: apt-get install chromium"
    monkeypatch.setattr(launch, "lacking", lambda: line)
    verify(tmp_path, "--json")
    judged = json.loads(capsys.readouterr().out)
    assert len(judged) == len(BROWSER_TESTS)
    assert {verdict["verdict"] for verdict in judged} == {"NOT RUN"}
    assert all("apt-get install chromium" in verdict["reason"] for verdict in judged)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "two-users"), "browsers play no acceptance test two-users: choose "),
        (("--peers", "3"), "leave out --peers, "),
        (("--here-only",), "and --here-only"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(asked, tmp_path, capsys, options, words):
    assert verify(tmp_path, *options) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert asked == []
