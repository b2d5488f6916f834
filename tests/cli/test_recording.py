"""``jamlab click`` and ``jamlab analyse``: files, figures, status, and errors in a sentence."""

import json
import math
import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile

from jamlab.cli import recording as command
from jamlab.cli.commands import main
from jamlab.measure.recording.record import RecordingRecord
from jamlab.measure.recording.windows import Window
from tests.measure.recording.records import arrival, beats, recording_record
from tests.measure.recording.takes import RATE, delayed, track, write


@pytest.fixture
def take(tmp_path):
    sound = track(17)
    return write(tmp_path / "take [b].wav", sound, delayed(sound, 480))


@pytest.fixture
def pages(monkeypatch):
    """Pages are written in tests of notebooks: here only which were asked for."""
    asked = []
    monkeypatch.setattr(command, "render", lambda *arguments: asked.append(arguments))
    return asked


def refused(capsys, *given):
    assert main([*map(str, given)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("jamlab: ")
    assert said.count("\n") == 1
    return said


def test_a_file_of_clicks(tmp_path, capsys):
    path = tmp_path / "a.flac"
    options = ["--voice", "3", "5", "--bpm", "100", "--seconds", "2", "--rate", "16000"]
    assert main(["click", "--out", str(path), *options]) == 0
    about = soundfile.info(path)
    assert (about.samplerate, about.channels, about.frames) == (16_000, 2, 32_000)
    told = capsys.readouterr()
    assert "voices 3, 5 at 100 bpm" in told.out
    assert "lacks the upper part" in told.err


def test_wrong_options_of_click_are_named(tmp_path, capsys):
    out = "click", "--out", tmp_path / "a.wav"
    assert "--voice is 40" in refused(capsys, *out, "--voice", 40)
    assert "--seconds is -1" in refused(capsys, *out, "--seconds", -1)
    assert "rate is 100" in refused(capsys, *out, "--rate", 100)
    assert "neither .wav nor .flac" in refused(capsys, "click", "--out", tmp_path / "a.mp3")


def test_a_recording_is_told_in_tables(take, capsys):
    assert main(["analyse", str(take), "--bpm", "120"]) == 0
    said = capsys.readouterr().out
    assert "channel 1 → channel 2" in said
    assert "10.00" in said
    assert "not at 120 bpm" in said


def test_it_is_judged_by_a_target(tmp_path, take, pages, capsys, monkeypatch):
    monkeypatch.setattr(command, "analyse", lambda *_, target_ms, **__: judged(target_ms))
    assert main(["analyse", str(take), "--target-ms", "40"]) == 0
    assert main(["analyse", str(take), "--target-ms", "20", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().out
    assert "FAIL" in said
    ((notebook, parameters, page),) = pages
    assert notebook.stem == "11_any_system"
    assert parameters == {"record": str(tmp_path / "out")}
    assert RecordingRecord.load(tmp_path / "out").target_ms == 20
    assert page.parent == tmp_path / "out"


def judged(target_ms):
    return recording_record(target_ms=target_ms)


def test_as_json(take, capsys, monkeypatch):
    times = beats(90, 0.03)
    times[::4] = np.nan
    record = recording_record(arrival(1, beats(90)), arrival(2, times, channel=2), target_ms=40)
    monkeypatch.setattr(command, "analyse", lambda *_, **__: record)
    assert main(["analyse", str(take), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["delays"][0]["p95_ms"] is None
    assert told["verdicts"][0]["verdict"] == "FAIL"
    assert told["files"][0]["name"] == "take.wav"


def test_a_record_has_its_page_anew(tmp_path, pages, capsys):
    folder = recording_record(target_ms=40).save(tmp_path / "heard")
    assert main(["report", str(folder)]) == 0
    assert pages[0][2] == tmp_path / "heard.html"
    assert "not a latency record" in refused(capsys, "report", folder, "--card", folder)


def test_windows_are_told_on_standard_error(take, tmp_path, capsys):
    log = tmp_path / "latency.csv"
    assert main(["analyse", str(take), "--every", "4.5", "--log", str(log)]) == 0
    told = capsys.readouterr()
    first, *_, last = told.err.splitlines()
    assert first == "0:00:00 to 0:00:04.5: median 10.0 ms, 0 of 9 dropped"
    assert last.startswith("0:00:09 to 0:00:09.")
    assert "to 0:00" not in told.out
    assert log.read_text().startswith("begin_s,from,to,voice,sent,heard,dropped,median_ms,p5_ms")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "1:02:00 to 1:02:10: no delay\n"),
        ([(20, 0, math.nan)], "nothing came back of 20 clicks\n"),
        ([(20, 19, 30.0), (20, 18, 45.04)], "median 45.0 ms at worst, 3 of 40 dropped\n"),
    ],
)
def test_a_window_is_one_line(rows, said, capsys):
    delays = pd.DataFrame(rows, columns=["sent", "heard", "median_ms"])
    delays["dropped"] = delays["sent"] - delays["heard"]
    command._tell_window(Window(3720.0, 3730.0, delays))
    assert capsys.readouterr().err.endswith(said)


def test_strange_windows_are_one_sentence(take, tmp_path, capsys):
    for strange in ("0", "-2", "nan", "inf", "0.1"):
        assert f"--every is {float(strange):g}" in refused(
            capsys, "analyse", take, f"--every={strange}"
        )
    assert "choose no more" in refused(capsys, "analyse", take, "--every", 100)
    assert "--log is" in refused(capsys, "analyse", take, "--log", tmp_path / "a.csv")
    every = "analyse", take, "--every", 5, "--log"
    assert "ends in .csv or .parquet" in refused(capsys, *every, tmp_path / "a.txt")
    assert "no folder" in refused(capsys, *every, tmp_path / "gone" / "a.csv")
    assert "name one" in refused(capsys, "analyse", take, take, "--every", 5)


@pytest.fixture
def started(tmp_path):
    """Return a function that starts ``jamlab analyse -`` in a process."""
    processes = []

    def start(*options):
        words = [sys.executable, "-m", "jamlab", "analyse", "-", *options]
        path = os.pathsep.join(filter(None, sys.path))
        process = subprocess.Popen(
            words,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def long_take(tmp_path):
    sound = track(60)
    return write(tmp_path / "long.wav", sound, np.concatenate([np.zeros(480), sound])).read_bytes()


@pytest.mark.slow
def test_standard_input_is_analysed_as_it_comes_and_ends_by_ctrl_c(started, long_take, tmp_path):
    """The log has the first window before the sound ends, and all that came after Ctrl-C."""
    process = started("--every", "5", "--log", "latency.csv", "--out", "kept")
    process.stdin.write(long_take)
    process.stdin.flush()
    line = process.stderr.readline().decode()
    assert line == "0:00:00 to 0:00:05: median 10.0 ms, 0 of 10 dropped\n"
    assert len((tmp_path / "latency.csv").read_text().splitlines()) >= 2
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.wait()
    said = process.stdout.read().decode()
    assert process.returncode == 0
    assert "channel 1 → channel 2" in said
    record = RecordingRecord.load(tmp_path / "kept")
    assert record.files[0]["name"] == "standard input"
    assert record.files[0]["seconds"] > 20
    assert (tmp_path / "kept" / "any-system.html").stat().st_size > 10_000
    table = pd.read_csv(tmp_path / "latency.csv")
    assert table["median_ms"].to_numpy() == pytest.approx(10, abs=0.01)
    assert table["begin_s"].max() >= 15


@pytest.mark.slow
def test_standard_input_ends_with_its_pipe(started, long_take, tmp_path):
    process = started("--json")
    said, _ = process.communicate(long_take)
    assert json.loads(said)["delays"][0]["median_ms"] == pytest.approx(10, abs=0.01)
    assert b"standard input is empty" in started().communicate(b"")[1]


def test_what_is_no_recording_is_one_sentence(tmp_path, capsys):
    silent = write(tmp_path / "silent.wav", np.zeros(RATE))
    assert "no click is heard" in refused(capsys, "analyse", silent)
    assert "cannot be read" in refused(capsys, "analyse", tmp_path / "gone.wav")
    assert "--target-ms is 0" in refused(capsys, "analyse", silent, "--target-ms", 0)


def test_a_stopwatch_test(tmp_path, capsys):
    sound = track(12)
    path = write(tmp_path / "room.wav", sound + 0.5 * delayed(sound, RATE * 0.0545))
    given = ["analyse", str(path), "--stopwatch", "air", "--air-m", "1.5"]
    assert main(given) == 0
    assert "one way, B to A, median" in capsys.readouterr().out
    assert main([*given, "--json"]) == 0
    assert "m, as given" in json.loads(capsys.readouterr().out)["stopwatch"]["way through air"]
    assert "--air-m is -1" in refused(capsys, *given[:-1], -1)
    assert "there is no stopwatch test" in refused(capsys, "analyse", path, "--air-m", 1)
