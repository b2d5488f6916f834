"""Tests of ``jamlab browser``, but for its measurement: tests/measure/browser/test_run.py."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from jamlab.cli import browser
from jamlab.cli.commands import main
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.browser.record import BrowserRecord
from jamlab.measure.browser.sweep import UNCHANGED
from tests.leaks import until
from tests.measure.browser.application import application
from tests.measure.browser.chromium import NEEDS_CHROMIUM
from tests.measure.browser.records import URL, browser_record, steady


@pytest.fixture
def told(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command with a record in place of a measurement."""

    def run(record, *options):
        async def measured(plan, _progress, _folder=None, *, keep=None):
            record.provenance["parameters"] |= {"url": plan.url, "target_ms": plan.target_ms}
            return record

        monkeypatch.setattr(browser, "measure_browsers", measured)
        monkeypatch.setattr(browser, "browser_page", lambda _folder, page: page.write_text("page"))
        status = main(["browser", *options, "--out", str(tmp_path)])
        return status, capsys.readouterr().out

    return run


@pytest.mark.parametrize(("ms", "status"), [(30.0, 0), (80.0, 1), (49.9, 2)])
def test_the_exit_status_is_the_verdict(told, ms, status):
    assert told(browser_record(steady(ms)), "https://example.org/")[0] == status


def test_the_terminal_has_verdicts_paths_and_remarks(told):
    record = browser_record(steady(80.0), remarks=["the page of [red]ada[/] played nothing"])
    _, out = told(record, "https://example.org/")
    assert "FAIL" in out
    assert "player 1 → player 2" in out
    assert "[red]ada[/]" in " ".join(out.split())


def test_the_terminal_names_record_and_report(told, tmp_path):
    _, out = told(browser_record(steady(80.0)), "https://example.org/")
    assert f"Record: {tmp_path / 'browser'}" in out
    assert f"Report: {tmp_path / 'browser.html'}" in out
    assert "What buys what" not in out


@pytest.mark.parametrize(("audio", "named"), [("injected", True), ("system", False)])
def test_an_error_of_clocks_is_named_where_there_are_some(told, audio, named):
    record = browser_record(steady(80.0), plan=BrowserPlan(URL, audio=audio))
    _, out = told(record, "https://example.org/")
    assert ("error of the clocks" in " ".join(out.split())) == named


def test_a_sweep_prints_its_table_and_its_advice(monkeypatch, tmp_path, capsys):
    async def measured(_plan, _folder, _progress):
        return {
            UNCHANGED: browser_record(steady(80.0)),
            "ptime 10": browser_record(steady(40.0)),
        }

    monkeypatch.setattr(browser, "measure_sweep", measured)
    monkeypatch.setattr(browser, "browser_page", lambda _folder, page: page.write_text("page"))
    main(["browser", "https://example.org/", "--sweep", "--out", str(tmp_path)])
    out = " ".join(capsys.readouterr().out.split())
    assert "What buys what" in out
    assert "40.0 ms" in out
    assert "“ptime 10” alone meets the target of 50 ms: write a=ptime:10" in out


def test_the_target_can_be_chosen(told):
    assert told(browser_record(steady(80.0)), "https://example.org/", "--target", "100")[0] == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["ftp://example.org"], "the URL is 'ftp://example.org': begin it with https://"),
        (["https://example.org", "--peers", "9"], "jamlab: --peers is 9: choose 2 to 6"),
        (["--duration", "1"], "jamlab: --duration is 1: choose 6 to 600"),
        (["--join-timeout", "0"], "jamlab: --join-timeout is 0: choose 1 to 3600"),
        (["--period", "100"], "jamlab: --period is 100: choose 64"),
        (["https://example.org", "--browser", "lynx"], "there is no browser 'lynx' to drive"),
        (["https://example.org", "--steps", "nowhere.py"], "nowhere.py cannot be read"),
    ],
)
def test_an_option_that_does_not_fit_is_told(tmp_path, capsys, options, words):
    assert main(["browser", *options, "--out", str(tmp_path)]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_pictures_of_an_earlier_run_are_removed(told, tmp_path):
    others = tmp_path / "player-1.txt", tmp_path / "band.png"
    for path in *others, tmp_path / "player-1.png", tmp_path / "player-6.png":
        path.write_text("earlier")
    told(browser_record(steady(30.0)), "https://example.org/")
    assert {*tmp_path.glob("*.png"), *tmp_path.glob("*.txt")} == {*others}


def test_an_interruption_keeps_finished_sessions(monkeypatch, tmp_path, capsys):
    async def interrupted(_plan, _progress, _folder, *, keep):
        keep(browser_record(steady(40.0)))
        raise KeyboardInterrupt

    monkeypatch.setattr(browser, "measure_browsers", interrupted)
    assert main(["browser", "https://example.org/", "--out", str(tmp_path)]) == 2
    kept = tmp_path / "browser"
    assert f"what is finished is kept, see jamlab report {kept}" in capsys.readouterr().err
    assert len(BrowserRecord.load(kept).clicks) == len(browser_record(steady(40.0)).clicks)


@pytest.fixture
def short_folder():
    """A folder whose path is short enough for Chromium's sockets in it."""
    with TemporaryDirectory(prefix="jam-") as folder:
        yield Path(folder)


def named(folder):
    """Return the processes whose command has a folder in it."""
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in each.info["cmdline"] or [])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["*", "*/0", "*/1/profile/Default"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@NEEDS_CHROMIUM[0]
@NEEDS_CHROMIUM[1]
async def test_an_end_by_a_signal_leaves_no_process_and_no_file(
    tmp_path, short_folder, phase, number
):
    temporary = short_folder
    with application() as url:
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "jamlab", "browser", f"{url}?auto&name={{player}}"),
            *("--out", str(tmp_path / "out")),
            env={**os.environ, "TMPDIR": str(temporary)},
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # a process group of its own, as in a terminal
        )
        await until(lambda: command.returncode is not None or list(temporary.glob(phase)))
        os.killpg(command.pid, number)
        async with asyncio.timeout(120.0):
            told = (await command.communicate())[1].decode()
    if number == signal.SIGINT:
        assert told.strip().endswith("jamlab: interrupted before the report was written")
    assert "Traceback" not in told
    assert command.returncode == (2 if number == signal.SIGINT else 128 + number)
    assert list(temporary.iterdir()) == []
    await until(lambda: not named(temporary))
