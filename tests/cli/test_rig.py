"""Tests of ``jamlab rig``, but for its measurement: tests/measure/rig/test_run.py."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from jamlab.cli import results, rig
from jamlab.cli.commands import main
from jamlab.measure.rig.record import RigRecord
from tests.audio_graph.on_graph import needs, needs_graph
from tests.leaks import until
from tests.measure.rig.records import rig_record, steady
from tests.measure.rig.test_run import LINE


@pytest.fixture
def pages(monkeypatch):
    """Pages are written in tests of notebooks: here only which were asked for."""
    asked = []
    monkeypatch.setattr(results, "render", lambda *arguments: asked.append(arguments))
    return asked


@pytest.fixture
def short_folder():
    """Return a folder for sockets, whose paths have at most 108 bytes; pytest's own are longer."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture
def told(monkeypatch, tmp_path, capsys, pages):
    """Return a function that runs the command with a record in place of a measurement."""

    def run(record, *options):
        async def measured(plan, _progress, *, keep):
            plans.append(plan)
            record.provenance["parameters"]["target_ms"] = plan.target_ms
            return record

        monkeypatch.setattr(rig, "measure_rig", measured)
        status = main(["rig", "--out", str(tmp_path), *options])
        return status, capsys.readouterr().out

    plans = []
    run.plans = plans
    return run


@pytest.mark.parametrize(("ms", "status"), [(30.0, 0), (80.0, 1), (49.8, 2)])
def test_the_exit_status_is_the_verdict(told, ms, status):
    assert told(rig_record(steady(ms)), "--", "play")[0] == status


def test_the_terminal_has_verdicts_paths_and_remarks(told, tmp_path, pages):
    record = rig_record(steady(80.0), system="[red]x[/]", remarks=["[b]late[/b]"])
    _, out = told(record, "--name", "[red]x[/]", "--", "play")
    assert "FAIL" in out
    assert "ada → ben" in out
    assert "[b]late[/b]" in out
    assert "[red]x[/], mouth to ear, ms" in out
    folder = tmp_path / "rig" / "red-x"
    assert f"Record: {folder}" in out
    assert f"Report: {folder}.html" in out
    assert RigRecord.load(folder).system == "[red]x[/]"
    assert pages[0][1] == {"records": [str(folder)]}


def test_verdicts_are_printed_as_json(told):
    _, out = told(rig_record(steady(80.0)), "--json", "--", "play")
    assert [each["verdict"] for each in json.loads(out)] == ["FAIL", "PASS"]


def test_a_command_is_run_for_each_player_as_it_was_written(told):
    words = ["play", "--name", "the {player}", "-n"]
    told(rig_record(steady(30.0)), "--peers", "3", "--period", "64", "--", *words)
    (plan,) = told.plans
    assert plan.commands == ("play --name 'the {player}' -n",) * 3
    assert plan.period_frames == 64


def test_each_player_may_have_a_command(told):
    options = ["--player", "a -s", "--player", "b", "--before", "c", "--before", "d"]
    told(rig_record(steady(30.0)), *options, "--target-ms", "20")
    (plan,) = told.plans
    assert (plan.commands, plan.before, plan.target_ms) == (("a -s", "b"), ("c", "d"), 20.0)


def test_a_preset_has_its_own_commands(told):
    told(rig_record(steady(30.0)), "--preset", "jamlab", "--peers", "4")
    (plan,) = told.plans
    assert (plan.name, len(plan.commands), len(plan.before)) == ("jamlab", 4, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "say what to measure, in one of these ways: --preset NAME"),
        (["--preset", "jamlab", "--", "play"], "say what to measure"),
        (["--player", "a"], "there are commands for 1 players: choose 2 to 6"),
        (["--player", "a", "--player", "b", "--peers", "2"], "--peers is for --preset"),
        (["--peers", "9", "--", "a"], "there are commands for 9 players"),
        (["--player", "a", "--player", "'"], "cannot be read: No closing quotation"),
        (["--duration", "1", "--", "a"], "jamlab: --duration is 1: choose 6 to 600"),
        (["--join-timeout", "0", "--", "a"], "jamlab: --join-timeout is 0: choose 1 to 3600"),
        (["--max-damaged", "0", "--", "a"], "jamlab: --max-damaged is 0: choose 0.01 to 50"),
        (["--compare", "nowhere"], "there is no file or folder nowhere"),
        (["--compare", ".", "--preset", "jamlab"], "--compare shows earlier runs: leave out"),
    ],
)
def test_an_option_that_does_not_fit_is_told(tmp_path, capsys, options, words):
    assert main(["rig", "--out", str(tmp_path), *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


@needs_graph
@pytest.mark.slow
def test_a_program_that_is_not_there_is_told(tmp_path, capsys):
    assert main(["rig", "--out", str(tmp_path), "--", "no-such-program"]) == 2
    assert "there is no program 'no-such-program' here" in " ".join(capsys.readouterr().err.split())


def test_earlier_runs_are_shown_side_by_side(tmp_path, capsys, pages):
    folders = [
        rig_record(steady(ms), system=name).save(tmp_path / name)
        for name, ms in (("slow", 60.0), ("quick", 20.0))
    ]
    status = main(["rig", "--out", str(tmp_path), "--compare", *map(str, folders)])
    out = capsys.readouterr().out
    assert status == 1
    assert "Side by side" in out
    assert out.index("quick") > 0
    assert pages == [
        (pages[0][0], {"records": [str(each) for each in folders]}, tmp_path / "rig.html")
    ]


def test_another_record_is_not_compared(tmp_path, capsys):
    from tests.measure.kinds import latency

    folder = latency().save(tmp_path / "other")
    assert main(["rig", "--out", str(tmp_path), "--compare", str(folder)]) == 2
    assert "`jamlab rig`" in capsys.readouterr().err


def test_the_report_is_written_anew(tmp_path, capsys, pages):
    folder = rig_record(steady(80.0)).save(tmp_path / "jamulus")
    assert main(["report", str(folder)]) == 1
    assert pages[0][2] == tmp_path / "jamulus.html"
    assert "jamulus, mouth to ear" in capsys.readouterr().out
    assert main(["report", str(folder), "--card", str(folder)]) == 2
    assert "is not a latency record: leave out --card" in capsys.readouterr().err


def test_an_interruption_keeps_finished_sessions(monkeypatch, tmp_path, capsys):
    async def interrupted(_plan, _progress, *, keep):
        keep(rig_record(steady(40.0)))
        raise KeyboardInterrupt

    monkeypatch.setattr(rig, "measure_rig", interrupted)
    assert main(["rig", "--out", str(tmp_path), "--", "play"]) == 2
    kept = tmp_path / "rig" / "play"
    assert f"what is finished is kept, see jamlab report {kept}" in capsys.readouterr().err
    assert len(RigRecord.load(kept).clicks)


@needs_graph
@needs("pipewire-bin", "pw-loopback")
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_an_end_by_a_signal_leaves_no_process_and_no_file(tmp_path, short_folder, number):
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jamlab", "rig", "--settle", "60", "--out", str(tmp_path / "out")),
        *("--player", LINE, "--player", LINE),
        env={**os.environ, "TMPDIR": str(short_folder)},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a process group of its own, as in a terminal
    )
    await until(lambda: command.returncode is not None or len(of(short_folder, "pw-loopback")) == 2)
    os.killpg(command.pid, number)
    async with asyncio.timeout(60.0):
        said = (await command.communicate())[1].decode()
    assert "Traceback" not in said
    assert command.returncode == (2 if number == signal.SIGINT else 128 + number)
    await until(lambda: not of(short_folder))
    assert list(short_folder.iterdir()) == []


def of(folder: Path, name=""):
    """Return the processes of a name with a folder in their environment."""
    found = []
    for each in psutil.process_iter(["name"]):
        try:
            there = any(str(folder) in value for value in each.environ().values())
        except psutil.Error:
            continue  # ended meanwhile, or of another user
        if there and name in each.info["name"]:
            found.append(each)
    return found
