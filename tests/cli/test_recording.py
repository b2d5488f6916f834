"""``jamlab click`` and ``jamlab analyse``: files, figures, status, and errors in a sentence."""

import json

import numpy as np
import pytest
import soundfile

from jamlab.cli import recording as command
from jamlab.cli.commands import main
from jamlab.measure.recording.record import RecordingRecord
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
    assert "stopwatch is not given" in refused(capsys, "analyse", path, "--air-m", 1)
