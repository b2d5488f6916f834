"""Tests of ``jamlab quality``, but for its measurement: tests/measure/sound_quality/test_run.py."""

import json

import pytest

from jamlab.cli import quality
from jamlab.cli.commands import main
from jamlab.measure.sound_quality.record import SoundQualityRecord
from tests.measure.sound_quality.records import quality_record

FIGURES = {120: [(9.0, 4.9)], 2880: [(64.0, float("nan"))]}


@pytest.fixture
def plans(monkeypatch):
    """The plans that are asked for; records of chosen figures stand for their measurement."""
    asked = []

    def measured(plan, *, progress):
        asked.append(plan)
        return quality_record(FIGURES, network=plan.networks[0], plan=plan)

    monkeypatch.setattr(quality, "measure_sound_quality", measured)
    monkeypatch.setattr(quality, "render", lambda *arguments: None)
    return asked


def test_the_terminal_has_the_encodings_and_where_the_record_lies(plans, tmp_path, capsys):
    assert main(["quality", "--network", "cable", "4G", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "low latency" in told
    assert "4.90*" in told
    assert f"Record: {tmp_path / 'sound-quality'}" in told
    assert plans[0].networks == ("cable", "4G")
    assert len(SoundQualityRecord.load(tmp_path / "sound-quality").sessions) == 2


def test_the_figures_are_printed_as_json(plans, tmp_path, capsys):
    assert main(["quality", "--json", "--out", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["latency_ms"] for row in rows] == [9.0, 64.0]
    assert rows[1]["zimtohrli"] is None


def test_a_record_is_reported_again(plans, tmp_path, capsys):
    folder = quality_record(FIGURES).save(tmp_path / "kept")
    assert main(["report", str(folder)]) == 0
    assert f"Report: {tmp_path / 'kept.html'}" in capsys.readouterr().out
    assert main(["report", str(folder), "--card", str(folder)]) == 2
    assert "leave out --card" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--duration", "0"], "--duration is 0: choose 1 to 60"),
        (["--sessions", "0"], "--sessions is 0: choose 1 to 50"),
        (["--block", "1"], "--block is 1: choose 16 to 4096"),
        (["--network", "4G", "4G"], "--network is 4G, 4G: name each once"),
        (["--network", "moon"], "there is no network profile 'moon'"),
    ],
)
def test_values_out_of_range_are_named_by_their_option(options, said, capsys):
    assert main(["quality", *options]) == 2
    assert said in capsys.readouterr().err
