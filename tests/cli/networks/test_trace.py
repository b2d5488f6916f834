"""``jamlab trace``: its table, its JSON and its complaint."""

import json

import pytest

from jamlab.cli import commands as cli
from jamlab.resources import data_path

CAR = str(data_path("5g_public_car.csv.gz"))


def test_shows_trace_and_model_side_by_side(capsys):
    assert cli.main(["trace", CAR]) == 0
    told = capsys.readouterr().out
    assert "Note: each delay is half of a round trip." in told
    (median,) = [line.split() for line in told.splitlines() if line.startswith("median delay")]
    assert float(median[2]) == pytest.approx(17 / 2, abs=0.5)  # the file's median, one way
    assert median[3] == median[5] == "ms"
    assert '["5g_public_car.csv.gz"]' in told


def test_is_json_on_request(capsys):
    assert cli.main(["trace", CAR, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["figures"][1] == {"what": "packets", "unit": "", "trace": 4134.0, "model": None}


def test_what_is_no_trace_is_one_sentence(tmp_path, capsys):
    (tmp_path / "letter").write_text("Dear Sir or Madam,")
    assert cli.main(["trace", str(tmp_path / "letter")]) == 2
    assert "letter is no trace: give CSV" in " ".join(capsys.readouterr().err.split())
