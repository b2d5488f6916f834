"""``jamlab report`` of a dump: page, verdicts, exit status, and files that are none."""

import json

import pytest

from jamlab.cli import commands as cli
from jamlab.cli import report as command
from jamlab.terminal import visible
from tests.measure.dump.calls import events, internals, rtcstats_lines, samples, write

GOOD = samples([10.0] * 90, playout_ms=5.0), events()
BAD = samples([120.0] * 90), events()


@pytest.fixture
def pages(monkeypatch, tmp_path):
    """Pages are written in tests of notebooks: here only which were asked for."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    asked = []
    monkeypatch.setattr(command, "render", lambda *arguments: asked.append(arguments))
    return asked


@pytest.mark.parametrize("name", ["call.json", "call.jsonl.gz", "no suffix"])
def test_a_file_is_a_dump_whatever_its_name(pages, tmp_path, capsys, name):
    lines = "jsonl" in name
    path = write(tmp_path / name, rtcstats_lines(*BAD) if lines else internals(*BAD), lines)
    assert cli.main(["report", str(path)]) == 1
    ((notebook, parameters, page),) = pages
    assert (notebook.stem, parameters) == ("08_field_dump", {"path": str(path)})
    assert page.absolute() == tmp_path / "here" / f"{name}.html"
    said = capsys.readouterr().out
    assert "FAIL" in said
    assert "jitter buffer" in said
    assert f"Report: {page}" in said.replace("\n", "")


def test_a_dump_that_settles_less_is_inconclusive(pages, tmp_path, capsys):
    path = write(tmp_path / "call.json", internals(*GOOD))
    assert cli.main(["report", str(path), "--json", "--out", str(tmp_path / "page.html")]) == 2
    verdicts = json.loads(capsys.readouterr().out)
    assert [each["verdict"] for each in verdicts] == ["PASS", "INCONCLUSIVE", "PASS"]
    assert verdicts[1]["interval"][1] is None
    assert pages[0][2] == tmp_path / "page.html"


def test_names_from_a_dump_are_no_markup(pages, tmp_path, capsys):
    evil = [
        (ms, {"[/b]:guitar:" if name == "IT01A1" else name: each for name, each in s.items()})
        for ms, s in BAD[0]
    ]
    path = write(tmp_path / "call.json", internals(evil, BAD[1]))
    assert cli.main(["report", str(path)]) == 1
    assert "[/b]:guitar:" in capsys.readouterr().out


def test_the_name_of_a_page_is_no_markup(pages, tmp_path, capsys):
    path = write(tmp_path / "call.json", internals(*GOOD))
    for name in ("a[/b]", "[jam]", "turn:guitar:3478", "\x1b]0;evil\x07"):
        (tmp_path / name.replace("/", "")).mkdir()
        page = tmp_path / name.replace("/", "") / "page.html"
        assert cli.main(["report", str(path), "--out", str(page)]) == 2
        said = capsys.readouterr().out
        assert f"Report: {visible(str(page))}\n" in said
        assert "\x1b" not in said


@pytest.mark.parametrize("content", ["", "hello", '{"PeerConnections": {', "<html>about:webrtc"])
def test_a_file_that_is_no_dump_is_one_sentence(pages, tmp_path, capsys, content):
    path = write(tmp_path / "call.json", content)
    assert cli.main(["report", str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"jamlab: {path} ")
    assert said.count("\n") == 1
    assert pages == []


def test_a_card_does_not_go_with_a_dump(pages, tmp_path, capsys):
    path = write(tmp_path / "call.json", internals(*GOOD))
    assert cli.main(["report", str(path), "--card", str(tmp_path)]) == 2
    assert "leave out --card" in capsys.readouterr().err


def test_a_name_that_no_file_can_have_is_one_sentence(pages, tmp_path, capsys):
    assert cli.main(["report", str(tmp_path / ("x" * 300))]) == 2
    told = capsys.readouterr().err
    assert "cannot be read (File name too long)" in told
    assert told.count("\n") == 1
