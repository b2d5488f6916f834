"""``jamlab verify --network kernel``: its options, its errors and its page."""

import json

import pytest

from jamlab.cli import commands as cli
from jamlab.cli import kernel_latency
from jamlab.measure.across_networks.kernel_record import KernelRecord
from jamlab.networks.kernel import lab as kernel
from jamlab.networks.kernel.namespace import KernelLabError
from jamlab.report.page.html import BROWSER_NETWORKS_FOLDER, KERNEL_FOLDER
from tests.measure.across_networks.kernel_records import kernel_record
from tests.measure.browser_networks.records import network_record
from tests.report.page.pages import Page


def verify(tmp_path, *options):
    return cli.main(["verify", "--network", "kernel", "--out", str(tmp_path), *options])


@pytest.fixture
def measured(monkeypatch):
    """Have a run find chosen records; returns the plans it was given."""
    plans = []

    async def measure(plan, folder, progress):
        plans.append(plan)
        progress(0.5, "same country, direct")
        for number, latency_ms in enumerate((30.0, 99.0)):
            network = ("same country", "transatlantic")[number]
            record = kernel_record(latency_ms, number=number, network=network)
            record.save(folder / f"{number:02d}")

    monkeypatch.setattr(kernel_latency, "measure_kernel", measure)
    return plans


@pytest.mark.slow
def test_it_is_judged_and_has_a_page_of_its_own(measured, tmp_path, capsys):
    """One real page, and the same again from the records it leaves."""
    assert verify(tmp_path, "--profile", "4G", "--duration", "12", "--peers", "3", "--json") == 2
    judged = json.loads(capsys.readouterr().out)
    assert [verdict["verdict"] for verdict in judged[:2]] == ["PASS", "PASS"]
    # 1 % was concealed, and of the cards' blocks as many came too late.
    assert [verdict["verdict"] for verdict in judged[2:]] == ["INCONCLUSIVE"] * 2
    (plan,) = measured
    assert {case.profile for case in plan.cases} == {None, "4G"}
    assert (plan.plan.duration_s, plan.plan.peers) == (12, 3)
    written = tmp_path / f"{KERNEL_FOLDER}.html"
    page = Page(written.read_text(encoding="utf-8"))
    assert "Latency added by the links" in page.text
    assert "transatlantic, direct" in page.text
    assert page.addresses == []
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables == ["parts", "verdicts", "profiles", "bands", "carriers", "bounds"]
    written.unlink()
    assert cli.main(["report", str(tmp_path / KERNEL_FOLDER), "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == judged
    assert written.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--only", "local-capture"), "leave out --only, --card and --here-only"),
        (("--here-only",), "leave out --only, --card and --here-only"),
        (("--card", "card"), "leave out --only, --card and --here-only"),
        (("--profile", "Mars"), "there is no network profile 'Mars': choose LAN, "),
        (("--duration", "30"), "duration_s is 30: choose up to 20"),
        (("--peers", "7"), "peers is 7: choose 2 to 6"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(measured, tmp_path, capsys, options, words):
    assert verify(tmp_path, *options) == 2
    told = capsys.readouterr().err
    assert words in " ".join(told.split())
    assert "Traceback" not in told
    assert measured == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("choice", [("--profile", "4G"), ("--trace", "home.csv")])
@pytest.mark.parametrize(
    "other", [("--here-only",), ("--only", "local-capture"), ("--player", "browser")]
)
def test_a_network_is_chosen_where_there_is_one(tmp_path, capsys, choice, other):
    assert cli.main(["verify", *choice, *other, "--out", str(tmp_path)]) == 2
    assert "--profile and --trace choose the networks" in capsys.readouterr().err


def test_a_card_has_nothing_to_be_added_to(tmp_path, capsys):
    kernel_record().save(tmp_path / KERNEL_FOLDER / "00")
    assert cli.main(["report", str(tmp_path / KERNEL_FOLDER), "--card", str(tmp_path)]) == 2
    assert "is not a latency record: leave out --card" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / f"{KERNEL_FOLDER}.html").exists()


def test_a_trace_is_a_network(measured, monkeypatch, tmp_path):
    monkeypatch.setattr(kernel_latency, "render", lambda *_: None)
    path = tmp_path / "home.csv"
    path.write_text("sent_ms,delay_ms\n" + "".join(f"{10 * k},{k % 7}\n" for k in range(99)))
    verify(tmp_path, "--trace", str(path), "--json")
    (plan,) = measured
    assert [case.profile for case in plan.cases] == [None, None, *["trace home"] * 2]
    link = plan.cases[2].access
    assert link.trace.name == "home.csv"
    assert link.trace_once


def test_what_is_no_trace_is_one_sentence(measured, tmp_path, capsys):
    assert verify(tmp_path, "--trace", str(tmp_path / "missing")) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "missing cannot be read: No such file or directory" in told
    assert measured == []


def test_without_a_lab_the_reason_is_told(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(kernel, "unavailable", lambda: "network namespaces need root")
    assert verify(tmp_path) == 2
    assert "cannot build a network lab: network namespaces need root" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_lab_that_fails_leaves_the_earlier_run(monkeypatch, tmp_path, capsys):
    async def fail(plan, folder, progress):
        raise KernelLabError("ip failed: no")

    kernel_record().save(tmp_path / KERNEL_FOLDER / "00")
    monkeypatch.setattr(kernel_latency, "measure_kernel", fail)
    assert verify(tmp_path) == 2
    assert "ip failed: no" in capsys.readouterr().err
    assert KernelRecord.load(tmp_path / KERNEL_FOLDER / "00").name == "same country, direct"


class TestBrowsers:
    @pytest.fixture
    def measured(self, monkeypatch):
        """Have a run of browsers find chosen records; returns the plans it was given."""
        plans = []

        async def measure(plan, folder, progress):
            plans.append(plan)
            for number, latency_ms in enumerate((70.0, 130.0)):
                network = ("same country", "transatlantic")[number]
                record = network_record(latency_ms, number=number, network=network)
                record.save(folder / f"{number:02d}")

        monkeypatch.setattr(kernel_latency, "measure_browser_networks", measure)
        return plans

    @pytest.mark.slow
    def test_they_are_judged_and_have_a_page_of_their_own(self, measured, tmp_path, capsys):
        options = "--player", "browser", "--profile", "4G", "--peers", "3", "--json"
        assert verify(tmp_path, *options, "--quality", "high-quality") == 1
        judged = json.loads(capsys.readouterr().out)
        assert [verdict["verdict"] for verdict in judged[:2]] == ["PASS", "FAIL"]
        (plan,) = measured
        assert {case.profile for case in plan.cases} == {None, "4G"}
        assert (plan.peers, plan.quality, plan.duration_s) == (3, "high-quality", 12.0)
        written = tmp_path / f"{BROWSER_NETWORKS_FOLDER}.html"
        page = Page(written.read_text(encoding="utf-8"))
        assert page.addresses == []
        assert "transatlantic, direct" in page.text
        tables = [
            value for tag, name, value in page.attributes if (tag, name) == ("table", "class")
        ]
        assert tables == [
            "browser-networks-verdicts",
            "browser-networks",
            "carriers",
            "provenance",
        ]
        written.unlink()
        assert cli.main(["report", str(tmp_path / BROWSER_NETWORKS_FOLDER), "--json"]) == 1
        assert json.loads(capsys.readouterr().out) == judged
        assert written.exists()

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--block-frames", "128"), "leave out --block-frames"),
            (("--duration", "1"), "--duration is 1"),
            (("--profile", "Mars"), "there is no network profile 'Mars'"),
        ],
    )
    def test_what_does_not_go_together_is_one_sentence(
        self, measured, tmp_path, capsys, options, words
    ):
        assert verify(tmp_path, "--player", "browser", *options) == 2
        assert words in " ".join(capsys.readouterr().err.split())
        assert measured == []
