"""Tests of ``jamlab playout``, and of the page of its record."""

import json

import numpy as np
import pytest

from jamlab.cli import playout
from jamlab.cli.commands import main
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.record import PlayoutRecord
from tests.measure.playout.records import playout_record


@pytest.fixture(autouse=True)
def pages(monkeypatch):
    """Pages are written in tests of notebooks: here only which were asked for."""
    asked = []
    monkeypatch.setattr(playout, "render", lambda *arguments: asked.append(arguments))
    return asked


@pytest.fixture
def written(tmp_path):
    """Return the file of a short trace, and an option for the output."""
    trace, file = example_trace(10), tmp_path / "wifi.csv"
    rows = 1000 * np.column_stack((trace.sent_s, trace.delay_s))
    np.savetxt(file, rows, "%.4f", ",", header="sent_ms,delay_ms", comments="")
    return [str(file), "--out", str(tmp_path)]


def test_it_shows_each_buffer_and_the_bounds(written, tmp_path, capsys, pages):
    status = main(["playout", *written, "--accept", "1", "--duration", "12", "--skew", "50"])
    told = capsys.readouterr().out
    for name in ("jamlab", "NetEq-like", "Jamulus-like", "stock aiortc", "best per second"):
        assert name in told
    assert "1 % accepted" in told
    record = PlayoutRecord.load(tmp_path / "playout")
    assert record.traces == ["wifi.csv"]
    assert record.provenance["parameters"]["skew_ppm"] == 50
    assert record.streams["duration_s"].tolist() == pytest.approx([12.0], abs=0.01)
    (_, parameters, page), *rest = pages
    assert rest == []
    assert parameters == {"record": str((tmp_path / "playout").resolve())}
    assert page == tmp_path / "playout.html"
    assert status in (0, 1)


def test_it_is_json_on_request(written, capsys):
    main(["playout", *written, "--accept", "1", "--json"])
    verdicts = json.loads(capsys.readouterr().out)
    assert len(verdicts) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--accept", "0"], "--accept is 0"),
        (["--accept", "1", "100"], "--accept is 100"),
        (["--duration", "0.1"], "--duration is 0.1"),
        (["--skew", "5000"], "--skew is 5000"),
    ],
)
def test_it_refuses_in_a_sentence(written, capsys, options, words):
    assert main(["playout", *written, *options]) == 2
    assert words in capsys.readouterr().err


def test_two_traces_of_one_name_are_refused(written, capsys):
    assert main(["playout", written[0], *written]) == 2
    assert "two traces are called wifi.csv" in " ".join(capsys.readouterr().err.split())


def test_what_is_no_trace_is_one_sentence(tmp_path, capsys):
    (tmp_path / "letter").write_text("Dear Sir or Madam,")
    assert main(["playout", str(tmp_path / "letter"), "--out", str(tmp_path)]) == 2
    assert "is no trace" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("delay_ms", "status"), [(10.0, 0), (30.0, 1)])
def test_the_report_of_a_record_says_the_same(tmp_path, capsys, pages, delay_ms, status):
    folder = playout_record(delay_ms=delay_ms).save(tmp_path / "record")
    assert main(["report", str(folder)]) == status
    told = capsys.readouterr().out
    assert "best per second" in told
    assert "Note: wifi: halved." in told
    assert len(pages) == 1


def test_the_report_takes_no_card(tmp_path, capsys):
    folder = playout_record().save(tmp_path / "record")
    assert main(["report", str(folder), "--card", str(tmp_path)]) == 2
    assert "leave out --card" in " ".join(capsys.readouterr().err.split())
