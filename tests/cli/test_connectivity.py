"""Options of ``jamlab connectivity``; see test_commands for the command."""

import pytest

from jamlab.browsers.installed import BrowserError
from jamlab.cli import commands as cli
from jamlab.cli import connectivity as command
from jamlab.measure.connectivity.campaign import CampaignError
from jamlab.measure.connectivity.population import load_population


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


@pytest.mark.parametrize(
    ("options", "population"),
    [
        (["--ipv6"], "nat_population+ipv6=50.1"),
        (["--ipv6", "70", "--port-mapping"], "nat_population+ipv6=70+mapping=30"),
        (["--population", "home", "--port-mapping", "12.5"], "home+mapping=12.5"),
        (["--population", "home+ipv6=80"], "home+ipv6=80"),
        ([], "nat_population"),
    ],
)
@pytest.mark.parametrize("level", ["session", "ice"])
def test_features_of_the_population_are_switches(level, options, population, monkeypatch, tmp_path):
    asked = []

    def planned(plan, *_, **__):
        asked.append(load_population(plan.population).name)
        raise CampaignError("that was the plan")

    monkeypatch.setattr(command, "measure_connectivity", planned)
    monkeypatch.setattr(command, "measure_sessions", planned)
    given = [*options, "--level", level, "--out", str(tmp_path)]
    assert cli.main(["connectivity", *given]) == 2
    assert asked == [population]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--population", "home+ipv6=1", "--ipv6", "2"], "once at most"),
        (["--network", "this-machine", "--port-mapping"], "--port-mapping is for the simulated"),
    ],
)
def test_features_that_cannot_be(options, words, tmp_path, capsys):
    assert cli.main(["connectivity", *options, "--out", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--ipv6", "--port-mapping"])
@pytest.mark.parametrize("percent", ["many", "200", "nan"])
def test_a_share_that_cannot_be_is_refused_under_its_option(option, percent, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["connectivity", option, percent])
    words = f"argument {option}: '{percent}' is not a percentage: give a number from 0 to 100"
    assert words in capsys.readouterr().err
