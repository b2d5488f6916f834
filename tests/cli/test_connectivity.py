"""``jamlab connectivity --player browser``: its options; see test_commands for the command."""

from jamlab.browsers.installed import BrowserError
from jamlab.cli import commands as cli
from jamlab.cli import connectivity as command


def test_browsers_are_for_the_kernels_network(tmp_path, capsys):
    assert cli.main(["connectivity", "--player", "browser", "--out", str(tmp_path)]) == 2
    assert "--player browser is for --network kernel: give both" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_a_browser_the_reason_is_told_before_calls_are_made(monkeypatch, tmp_path, capsys):
    def fail(progress):
        raise BrowserError("Chromium is not installed here: apt-get install chromium")

    monkeypatch.setattr(command, "measure_browser_agreement", fail)
    options = ["--network", "kernel", "--player", "browser", "--out", str(tmp_path)]
    assert cli.main(["connectivity", *options]) == 2
    assert "apt-get install chromium" in capsys.readouterr().err
