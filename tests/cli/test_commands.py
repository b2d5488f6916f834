"""The command line: options, exit status, JSON and one-sentence errors."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from functools import partial
from pkgutil import resolve_name

import pytest

from jamlab import __main__ as command_line
from jamlab.browsers.installed import BrowserError
from jamlab.cli import commands as cli
from jamlab.cli import connectivity as command
from jamlab.cli import report, results
from jamlab.cli import verify as cli_verify
from jamlab.cli.machine import doctor
from jamlab.measure.acceptance import run as acceptance
from jamlab.measure.acceptance.real_time import REAL_TIME
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import TESTS
from jamlab.measure.across_networks.simulated import across_plan
from jamlab.measure.connectivity import verdicts as connectivity_verdicts
from jamlab.measure.connectivity.plan import ConnectivityPlan
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.connectivity_on_kernel.browser_agreement import BROWSERS_FOLDER
from jamlab.measure.connectivity_on_kernel.run import AGREEMENT_FOLDER, DEFAULT_CALLS
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.session_connectivity.plan import sessions_of
from jamlab.measure.sound_card.loopback import LoopbackPlan
from jamlab.measure.sound_card.record import CardRecord
from jamlab.media.quality import LOW_LATENCY
from jamlab.process.child import ChildError
from jamlab.report.page.html import CARD_FOLDER
from tests.measure.acceptance.runs import good_finding, whole_record
from tests.measure.browser.records import browser_record
from tests.measure.connectivity.attempts import POPULATIONS, campaign
from tests.measure.connectivity_on_kernel.agreements import agreement, browser_agreement
from tests.measure.latency.records import LAG, record_of
from tests.measure.sound_card.records import card_record

OTHERS = [("--peers", "3"), ("--calls", "5"), ("--duration", "9")]
KEYS = ["name", "target", "value", "interval", "unit", "verdict", "reason", "to_musicians"]


def steady(latency_ms):
    return lambda a, b: [latency_ms + 0.01 * (k % 7) for k in range(100)]


@pytest.fixture
def pages(monkeypatch):
    """Reports are written elsewhere tested: here only which were asked for."""
    asked = []
    monkeypatch.setattr(report, "verification_report", lambda *paths: asked.append(paths))
    monkeypatch.setattr(cli_verify, "verification_report", lambda *paths: asked.append(paths))
    monkeypatch.setattr(results, "render", lambda _notebook, _parameters, page: asked.append(page))
    return asked


@pytest.fixture
def run_of(monkeypatch, pages, tmp_path):
    """Have `verify` find a chosen record; returns the plans it was given."""

    def choose(record):
        plans = []

        async def measured(plan, folder, progress, outdated):
            plans.append(plan)
            progress(0.5, "measuring")
            for each in outdated:
                shutil.rmtree(each, ignore_errors=True)
            record.save(folder)
            return record

        async def accepted(tests, latency, progress):
            assert latency is record
            findings = [good_finding(test) for test in tests if test in REAL_TIME]
            here = AcceptanceRecord.of_findings(tests, findings, failed={})
            return here.joined([], {}, latency=latency)

        monkeypatch.setattr(cli_verify, "measure_in_worker", measured)
        monkeypatch.setattr(cli_verify, "measure_here", accepted)
        return plans

    return choose


def verify(tmp_path, *options):
    return cli.main(["verify", "--here-only", "--out", str(tmp_path), *options])


@pytest.fixture
def own_servers(tmp_path, monkeypatch):
    """Return a file with a TURN server where nothing listens."""
    monkeypatch.setenv("JAMLAB_TEST_PASSWORD", "a secret word")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    path = tmp_path / "own.toml"
    path.write_text(
        '[mine]\npolicy = "relay"\n[[mine.servers]]\n'
        f'urls = "turn:127.0.0.1:{port}?transport=tcp"\n'
        'username = "jam"\ncredential_env = "JAMLAB_TEST_PASSWORD"\n'
    )
    return path


def connectivity(tmp_path, *options):
    return cli.main(["connectivity", "--calls", "4", "--out", str(tmp_path), *options])


class TestConnectivity:
    @pytest.mark.slow
    def test_a_campaign_is_told_and_kept(self, pages, tmp_path, capsys):
        assert connectivity(tmp_path, "--population", "mobile") == 2  # four calls prove nothing
        said = " ".join(capsys.readouterr().out.split())
        assert "4 calls of bare ICE agents within mobile" in said
        assert "4 meetings of two sessions within mobile, same country" in said
        assert pages == [tmp_path / "connectivity.html"]
        record = ConnectivityRecord.load(tmp_path / "connectivity")
        assert len(record.attempts) == 4 * len(record.configurations) == 20
        assert len(sessions_of(tmp_path / "connectivity").sessions) == 4

    @pytest.mark.slow
    def test_sessions_are_judged_and_not_the_agents_beside_them(self, pages, tmp_path, capsys):
        connectivity(tmp_path, "--json", "--level", "session", "--profile", "LAN")
        judged = json.loads(capsys.readouterr().out)
        assert [list(verdict) for verdict in judged] == [KEYS] * len(judged)
        assert [verdict["name"] for verdict in judged] == [
            "share of sessions that end direct (STUN+TURN)",
            "share of sessions that connect (STUN+TURN)",
            "95th percentile of the time to first sound (STUN+TURN)",
        ]
        cli.main(["report", str(tmp_path / "connectivity"), "--json"])
        assert json.loads(capsys.readouterr().out) == judged

    @pytest.mark.slow
    def test_agents_alone(self, pages, tmp_path, capsys):
        connectivity(tmp_path, "--json", "--level", "ice")
        judged = json.loads(capsys.readouterr().out)
        assert [list(verdict) for verdict in judged] == [KEYS] * len(judged)
        assert judged[0]["name"] == "share of direct-capable calls (STUN)"
        assert sessions_of(tmp_path / "connectivity") is None

    def test_on_the_kernel_with_its_agreement(self, pages, tmp_path, capsys, monkeypatch):
        """Of namespaces nothing is built here: what the record says is told."""
        plans = []

        def measured(plan, folder, configurations, *, browsers, progress):
            plans.append((plan, browsers))
            record = campaign(calls=4)
            told = record.provenance | {
                "network": "kernel",
                "left_out": "2 of 4 calls are left out",
            }
            record = ConnectivityRecord(record.attempts, told)
            record.save(folder)
            agreement().save(folder / AGREEMENT_FOLDER)
            browser_agreement().save(folder / BROWSERS_FOLDER)
            return record

        monkeypatch.setattr(command, "measure_on_kernel", measured)
        monkeypatch.setattr(connectivity_verdicts, "load_population", POPULATIONS.get)
        cli.main(["connectivity", "--network", "kernel", "--out", str(tmp_path)])
        told = capsys.readouterr()
        assert plans == [(ConnectivityPlan(calls=DEFAULT_CALLS), None)]
        assert "2 of 4 calls are left out" in told.err
        assert "disagreements of rule" in told.out
        assert "rule and browsers" in " ".join(told.out.split())
        assert "this machine's kernel" in " ".join(told.out.split())
        cli.main(["report", str(tmp_path / "connectivity"), "--json"])
        judged = json.loads(capsys.readouterr().out)
        assert (judged[-1]["value"], judged[-1]["verdict"]) == (0, "PASS")

    @pytest.mark.slow
    def test_one_s_own_configurations(self, pages, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("JAMLAB_TEST_PASSWORD", "a secret word")
        path = tmp_path / "own.toml"
        path.write_text(
            '[mine]\npolicy = "relay"\n[[mine.servers]]\n'
            'urls = ["turn:turn.jamlab.test", "turn:other.example.org"]\n'
            'username = "jam"\ncredential_env = "JAMLAB_TEST_PASSWORD"\n'
        )
        connectivity(tmp_path, "--ice", str(path))
        told = capsys.readouterr()
        assert "uses the first TURN server only" in told.err
        kept = [p.read_bytes() for p in (tmp_path / "connectivity").rglob("*") if p.is_file()]
        assert not any(b"a secret word" in each for each in [*kept, told.out.encode()])

    def test_one_s_own_servers_on_this_machine(self, pages, tmp_path, capsys, own_servers):
        options = ["--network", "this-machine", "--ice", str(own_servers), "--out", str(tmp_path)]
        assert cli.main(["connectivity", *options]) == 1  # one of the servers is not there
        said = " ".join(capsys.readouterr().out.split())
        assert "Servers, each probed separately" in said
        assert "(mine): Its machine refuses the connection" in said
        assert "nothing listens at this TCP port" in said
        assert "two ends on this machine" in said
        assert "a secret word" not in said
        record = ConnectivityRecord.load(tmp_path / "connectivity")
        assert record.servers["outcome"].tolist() == ["refused"]
        assert len(record.attempts) == 3

        assert cli.main(["report", str(tmp_path / "connectivity"), "--json"]) == 1
        judged = json.loads(capsys.readouterr().out)
        assert [list(verdict) for verdict in judged] == [KEYS] * len(judged)
        assert pages == [tmp_path / "connectivity.html"] * 2

    def test_a_card_has_nothing_to_do_with_it(self, pages, tmp_path, capsys):
        campaign(calls=4).save(tmp_path / "connectivity")
        assert cli.main(["report", str(tmp_path / "connectivity"), "--card", "card"]) == 2
        assert "leave out --card" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("option", "value"), [("population", "home"), ("seed", "1"), ("scheduler", "tcp://x:1")]
    )
    def test_what_is_of_the_simulation_is_refused_here(
        self, pages, tmp_path, capsys, own_servers, option, value
    ):
        options = ["--network", "this-machine", "--ice", str(own_servers), f"--{option}", value]
        assert connectivity(tmp_path, *options) == 2
        complaint = capsys.readouterr().err
        assert (
            f"--{option} is for the simulated internet, not for this-machine: leave it out"
            in complaint
        )

    def test_without_servers_of_one_s_own_there_is_nothing_to_ask(self, pages, tmp_path, capsys):
        assert connectivity(tmp_path, "--network", "this-machine") == 2
        assert "give them with --ice FILE" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--population", "mars"], "there is no population 'mars'"),
            (["--calls", "0"], "jamlab: --calls is 0"),
            (["--level", "ip"], "jamlab: --level is 'ip': choose session, ice or dtls"),
            (["--deadline", "0"], "jamlab: --deadline is 0"),
            (["--network", "kernel", "--level", "session"], "--level is 'session': choose ice or"),
            (["--profile", "mars"], "there is no network profile 'mars'"),
            (["--level", "ice", "--profile", "LAN"], "--profile is for --level session"),
            (["--ice", "nowhere.toml"], "nowhere.toml cannot be read"),
            (["--network", "kernel", "--scheduler", "tcp://x"], "runs on this machine alone"),
            (["--network", "kernel", "--population", "mars"], "there is no population 'mars'"),
        ],
    )
    def test_complaints_are_one_sentence(self, pages, tmp_path, capsys, options, words):
        assert connectivity(tmp_path, *options) == 2
        complaint = capsys.readouterr().err
        assert words in complaint
        assert "Traceback" not in complaint

    @pytest.mark.slow
    def test_verify_judges_everything(self, run_of, pages, tmp_path, capsys, monkeypatch):
        run_of(record_of(steady(11), steady(24)))
        chosen = []
        found = {test: (partial(good_finding, test),) for test in acceptance.SIMULATED}
        monkeypatch.setattr(acceptance, "SIMULATED", found)

        def lan(profiles, *, traces, **options):
            assert (profiles, traces) == ((), [])
            chosen.append(options)
            return across_plan(["LAN"], **options)

        async def browsers(plan, _progress):
            assert plan.url == ""  # the reference client
            return browser_record(lambda *_: 30.0)

        monkeypatch.setattr(cli_verify, "across_plan", lan)
        monkeypatch.setattr(cli_verify, "lacking", lambda: None)
        monkeypatch.setattr(cli_verify, "measure_browsers", browsers)
        options = "--calls", "3", "--max-concealed", "0.7"
        cli.main(["verify", *options, "--json", "--out", str(tmp_path)])
        assert chosen == [{"max_concealed_percent": 0.7}]
        judged = json.loads(capsys.readouterr().out)
        names = [verdict["name"] for verdict in judged]
        assert [name.split(":")[0].replace(" ", "-") for name in names[3:9]] == [*TESTS]
        assert [verdict["verdict"] for verdict in judged[:11]] == ["PASS"] * 11
        assert "latency over LAN" in names[9]
        assert judged[10]["name"] == "concealed sound over LAN, share of the worst path"
        assert judged[10]["target"] == "< 0.7"
        assert [verdict["unit"] for verdict in judged[11:-2]] == ["%", "%", "s"]  # of sessions
        assert all("between browsers" in verdict["name"] for verdict in judged[-2:])
        assert cli.main(["verify", "--here-only", "--json", "--out", str(tmp_path)]) == 0
        left = json.loads(capsys.readouterr().out)
        assert len(left) == 9  # nothing of the earlier run
        not_run = [verdict for verdict in left if verdict["verdict"] == "NOT RUN"]
        assert [verdict["name"] for verdict in not_run] == [
            "connection blocked",
            "different networks",
        ]
        assert all("--here-only" in verdict["reason"] for verdict in not_run)


class TestBrowsers:
    """Browsers in a verification: measured where there are any, and never in its way."""

    def measured(self, monkeypatch, tmp_path, reason, measure=None):
        monkeypatch.setattr(cli_verify, "lacking", lambda: reason)
        monkeypatch.setattr(cli_verify, "measure_browsers", measure)
        cli_verify._verify_browsers(tmp_path / "browser", 0.5, lambda *_: None)
        return (tmp_path / "browser").is_dir()

    def test_without_a_browser_nothing_is_measured(self, monkeypatch, tmp_path):
        assert not self.measured(monkeypatch, tmp_path, "there is no browser")

    def test_a_browser_that_fails_is_told_and_no_more(self, monkeypatch, tmp_path, capsys):
        async def measure(_plan, _progress):
            raise BrowserError("Chromium does not start")

        assert not self.measured(monkeypatch, tmp_path, None, measure)
        assert "browsers are not measured: Chromium does not start" in capsys.readouterr().err

    def test_a_browser_leaves_a_record(self, monkeypatch, tmp_path):
        async def measure(plan, _progress):
            assert plan.max_concealed_percent == 0.5
            return browser_record(lambda *_: 30.0)

        assert self.measured(monkeypatch, tmp_path, None, measure)


@pytest.mark.parametrize(
    ("record", "status"),
    [
        (record_of(steady(11), steady(24)), 0),
        (record_of(steady(60), steady(24)), 1),
        (record_of(steady(11), steady(24), lag=LAG | {"p99_ms": 50.0}), 2),
    ],
    ids=["pass", "fail", "invalid"],
)
def test_exit_status_is_the_verdict(run_of, tmp_path, capsys, record, status):
    run_of(record)
    assert verify(tmp_path, "--json") == status
    judged = json.loads(capsys.readouterr().out)
    assert [list(verdict) for verdict in judged] == [KEYS] * 9


@pytest.mark.parametrize(("bound", "status"), [((), 1), (("--max-concealed", "4"), 0)])
def test_a_path_that_conceals_too_much_fails_by_a_bound_of_the_user_s(
    run_of, monkeypatch, tmp_path, capsys, bound, status
):
    """1 % of the sound was concealed, which passed below 2 % and settled nothing above."""
    record = record_of(steady(11), steady(24), concealed_frames=9_600)
    run_of(record)

    async def measured(plan, folder, progress, outdated=()):
        record.provenance["parameters"] = plan.to_dict()
        record.save(folder)
        return record

    monkeypatch.setattr(cli_verify, "measure_in_worker", measured)
    assert verify(tmp_path, *bound, "--json") == status
    concealed = json.loads(capsys.readouterr().out)[2]
    assert concealed["name"] == "concealed sound, share of the worst path"
    assert concealed["verdict"] == ("FAIL" if status else "PASS")


class TestOnly:
    @pytest.fixture
    def accepted(self, monkeypatch, pages):
        """Acceptance tests find what is chosen; returns what they were asked."""
        asked = []

        async def measured(folder, tests, *, simulated, progress):
            asked.append((tests, simulated))
            progress(0.5, "measuring")
            record = whole_record(tests)
            record.save(folder)
            return record

        monkeypatch.setattr(cli_verify, "measure_acceptance", measured)
        return asked

    def only(self, tmp_path, *options):
        return cli.main(["verify", "--out", str(tmp_path), *options])

    def test_some_tests_and_nothing_else(self, accepted, pages, tmp_path, capsys):
        names = ["--only", "loopback-round-trip", "--only", "local-capture"]
        assert self.only(tmp_path, *names, "--json") == 0
        assert accepted == [(("local-capture", "loopback-round-trip"), True)]
        judged = json.loads(capsys.readouterr().out)
        assert [list(verdict) for verdict in judged] == [KEYS] * 2
        assert pages == [tmp_path / "acceptance.html"]
        assert AcceptanceRecord.load(tmp_path / "acceptance").tests == [
            "local-capture",
            "loopback-round-trip",
        ]

    def test_what_is_not_run_alone_is_no_pass(self, pages, tmp_path, capsys):
        """Nothing is faked here: there is nothing to measure."""
        options = ["--only", "connection-blocked", "--here-only"]
        assert self.only(tmp_path, *options) == 2
        shown = capsys.readouterr().out
        assert "NOT RUN connection blocked" in " ".join(shown.split())
        assert "--here-only" in shown

    def test_an_unknown_name_is_one_sentence_with_the_names(self, accepted, tmp_path, capsys):
        assert self.only(tmp_path, "--only", "karaoke") == 2
        complaint = capsys.readouterr().err
        assert "there is no acceptance test karaoke" in complaint
        assert all(test in complaint for test in TESTS)
        assert complaint.count("\n") == 1
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("option", OTHERS)
    def test_an_option_that_would_do_nothing_is_refused(self, accepted, tmp_path, capsys, option):
        assert self.only(tmp_path, "--only", "local-capture", *option) == 2
        assert "leave out" in capsys.readouterr().err
        assert accepted == []

    def test_a_card_has_nothing_to_be_added_to(self, accepted, tmp_path, capsys):
        card = card_record({64: 300}).save(tmp_path / "card")
        assert self.only(tmp_path / "out", "--only", "local-capture", "--card", str(card)) == 2
        assert "--card" in capsys.readouterr().err
        folder = whole_record(TESTS).save(tmp_path / "earlier")
        assert cli.main(["report", str(folder), "--card", str(card)]) == 2
        assert "is not a latency record: leave out --card" in capsys.readouterr().err

    def test_its_page_can_be_made_again(self, pages, tmp_path, capsys):
        folder = whole_record(TESTS).save(tmp_path / "earlier")
        assert cli.main(["report", str(folder), "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == 6
        assert pages == [tmp_path / "earlier.html"]


def test_json_values(run_of, tmp_path, capsys):
    run_of(record_of(steady(11), steady(24)))
    verify(tmp_path, "--json")
    one_way, round_trip, *_ = json.loads(capsys.readouterr().out)
    assert one_way["verdict"] == round_trip["verdict"] == "PASS"
    assert one_way["target"] == "< 50"
    assert one_way["unit"] == "ms"
    assert one_way["interval"][0] <= one_way["value"] <= one_way["interval"][1]


def test_options_reach_the_plan(run_of, tmp_path):
    plans = run_of(record_of(steady(11), steady(24)))
    verify(tmp_path, "--peers", "4", "--quality", "high-quality", "--duration", "5")
    (plan,) = plans
    assert (plan.peers, plan.quality, plan.duration_s) == (4, "high-quality", 5.0)


def test_record_and_page_are_side_by_side(run_of, pages, tmp_path):
    record = record_of(steady(11), steady(24))
    run_of(record)
    verify(tmp_path)
    assert pages == [(tmp_path / "verification", tmp_path / "verification.html")]
    assert LatencyRecord.load(tmp_path / "verification").provenance == record.provenance


@pytest.mark.slow
def test_the_summary_fits_a_screen_even_for_six(run_of, tmp_path, capsys):
    run_of(record_of(steady(11), steady(24), peers=6))
    verify(tmp_path)
    shown = capsys.readouterr().out
    assert "PASS" in shown
    assert "54 more paths" in shown
    assert "verification.html" in shown
    assert len(shown.splitlines()) <= 30


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--peers", "7"], "peers is 7: choose 2 to 6"),
        (["--quality", "best"], "unknown quality 'best'"),
        (["--duration", "nan"], "--duration is nan: choose 5"),
        (["--block-frames", "1"], "--block-frames is 1: choose 16 to 4096"),
    ],
)
def test_bad_options_are_one_sentence_and_lose_nothing(tmp_path, capsys, options, sentence):
    assert verify(tmp_path, *options) == 2
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert complaint.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_failed_worker_is_one_sentence(monkeypatch, tmp_path, capsys):
    async def fail(*_):
        raise ChildError("the measurement", "ended with status 1: no socket")

    monkeypatch.setattr(cli_verify, "measure_in_worker", fail)
    assert verify(tmp_path) == 2
    assert "no socket" in capsys.readouterr().err


@pytest.mark.parametrize("job", ["verify", "connectivity"])
@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_report_with_no_place_is_told_before_anything_is_measured(tmp_path, capsys, job, out):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="2"):
        cli.main([job, "--out", str(tmp_path / out)])
    assert (
        f"you cannot write to {tmp_path / 'file'}: choose another folder" in capsys.readouterr().err
    )


def test_a_page_with_no_place_is_told_before_the_record_is_read(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["report", str(tmp_path / "record"), "--out", str(tmp_path)])
    assert f"you cannot write to {tmp_path}: choose another file" in capsys.readouterr().err


def test_interrupting_is_no_traceback(monkeypatch, tmp_path, capsys):
    async def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli_verify, "measure_in_worker", interrupt)
    assert verify(tmp_path) == 2
    assert capsys.readouterr().err.endswith("interrupted before the report was written\n")


def test_what_an_interrupted_campaign_keeps_is_said(monkeypatch, tmp_path, capsys):
    def interrupt(_options, folder, _progress):
        (folder / "parts").mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "measure", interrupt)
    assert cli.main(["connectivity", "--out", str(tmp_path)]) == 2
    assert "finished calls are kept; run it again to continue" in capsys.readouterr().err


def test_report_from_a_record(pages, tmp_path, capsys):
    folder = record_of(steady(60), steady(24)).save(tmp_path / "earlier")
    assert cli.main(["report", str(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0]["verdict"] == "FAIL"
    assert pages == [(folder, tmp_path / "earlier.html")]


class TestCard:
    @pytest.fixture
    def card(self, tmp_path):
        return card_record({64: 300}).save(tmp_path / "card")

    def kept(self, folder):
        return CardRecord.load(folder / CARD_FOLDER).round_trip_frames(64).value

    def test_verify_keeps_it_with_the_run(self, run_of, card, tmp_path):
        run_of(record_of(steady(11), steady(24)))
        assert verify(tmp_path, "--here-only", "--card", str(card)) == 0
        assert self.kept(tmp_path / "verification") == 300

    def test_another_run_does_not_keep_it(self, run_of, card, tmp_path):
        run_of(record_of(steady(11), steady(24)))
        verify(tmp_path, "--here-only", "--card", str(card))
        verify(tmp_path, "--here-only")
        assert not (tmp_path / "verification" / CARD_FOLDER).exists()

    @pytest.mark.usefixtures("pages")
    def test_report_keeps_it_with_the_record(self, card, tmp_path):
        folder = record_of(steady(11), steady(24)).save(tmp_path / "earlier")
        assert cli.main(["report", str(folder), "--card", str(card)]) == 0
        assert self.kept(folder) == 300

    def test_one_measured_at_other_blocks_is_told_before_anything_is_measured(
        self, run_of, card, tmp_path, capsys
    ):
        plans = run_of(record_of(steady(11), steady(24)))
        assert verify(tmp_path, "--card", str(card), "--block-frames", "128") == 2
        told = capsys.readouterr().err
        assert "not measured at blocks of 128 frames (measured: 64)" in told
        assert "jamlab latency --device --block-frames 128" in told
        assert plans == []

    @pytest.mark.usefixtures("pages")
    def test_report_keeps_none_measured_at_other_blocks(self, tmp_path, capsys):
        folder = record_of(steady(11), steady(24)).save(tmp_path / "earlier")
        card = card_record({256: 600}).save(tmp_path / "other")
        assert cli.main(["report", str(folder), "--card", str(card)]) == 2
        assert "measured: 256" in capsys.readouterr().err
        assert not (folder / CARD_FOLDER).exists()

    def test_no_card_there_is_told_before_anything_is_measured(self, run_of, tmp_path, capsys):
        plans = run_of(record_of(steady(11), steady(24)))
        assert verify(tmp_path, "--card", str(tmp_path / "nowhere")) == 2
        told = capsys.readouterr().err.replace("\n", " ")
        assert "nowhere/provenance.json is missing: name a folder that `jamlab latency" in told
        assert plans == []


def test_report_of_no_record(tmp_path, capsys):
    for path in tmp_path, tmp_path / "nowhere":
        assert cli.main(["report", str(path)]) == 2
        told = capsys.readouterr().err.replace("\n", " ")
        assert f" {path}" in told
        assert "name a folder that `jamlab verify`, " in told
        assert "or a dump of chrome://webrtc-internals" in told


def test_report_of_the_folder_with_the_record(pages, tmp_path, capsys):
    """`--out X` has the record in a folder of X."""
    record = record_of(steady(11), steady(24)).save(tmp_path / "one")
    assert cli.main(["report", str(tmp_path)]) == 0
    assert pages == [(record, tmp_path / "one.html")]
    record_of(steady(11), steady(24)).save(tmp_path / "two")
    assert cli.main(["report", str(tmp_path)]) == 2
    assert f"name {record} or {tmp_path / 'two'}" in capsys.readouterr().err


def test_doctor_prints_what_it_finds(monkeypatch, capsys):
    good = doctor.Finding("libopus", True, "1.6 [bundled]")
    bad = doctor.Finding("PortAudio", False, "not found", "apt-get it", essential=False)
    monkeypatch.setattr(doctor, "examine", lambda: [good, bad])
    assert cli.main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "1.6 [bundled]" in shown
    assert "apt-get it" in shown
    assert "Nothing that jamlab needs is lacking" in shown
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding("aiortc", False, "gone")])
    assert cli.main(["doctor"]) == 1
    assert "as long as this is not fine: aiortc" in capsys.readouterr().out


@pytest.mark.slow
def test_python_m_jamlab_is_jamlab():
    as_module = subprocess.run(
        [sys.executable, "-m", "jamlab", "--help"], capture_output=True, text=True, check=True
    )
    assert "verify" in as_module.stdout
    assert as_module.stderr == ""


def test_an_error_nobody_expected_is_no_verdict(monkeypatch, capsys):
    def break_down(*_):
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(cli, "main", break_down)
    assert command_line.main() not in (0, 1, 2)
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "nobody expected this" in told


@pytest.mark.slow
def test_a_package_that_cannot_be_imported_is_no_verdict(tmp_path):
    """The module that looks for libopus, say, raises as it is imported."""
    (tmp_path / "opuslib_next.py").write_text("raise OSError('no libopus')")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    given = [sys.executable, "-m", "jamlab", "doctor"]
    ended = subprocess.run(given, env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert b"no libopus" in ended.stderr
    assert ended.returncode not in (0, 1, 2)


def test_no_command_is_a_usage_error():
    with pytest.raises(SystemExit) as left:
        cli.main([])
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("command", "default"),
    [
        ("verify", f"number of participants, 2 to 6 (default: {LatencyPlan().peers})"),
        (
            "connectivity",
            f"seconds after which an attempt has failed (default: {ConnectivityPlan().deadline_s})",
        ),
        ("latency", f"clicks per size (default: {LoopbackPlan().clicks})"),
        ("join", f"(default: {LOW_LATENCY.name})"),
        ("serve", "port, 0 for any (default: 4000)"),
    ],
)
def test_help_tells_the_defaults(command, default, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert default in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("name", ["take", "take1.1", "take1.2"])
def test_report_writes_the_page_next_to_the_record(tmp_path, monkeypatch, capsys, name):
    pages = []
    monkeypatch.setattr(report, "connectivity_page", lambda _, page: pages.append(page))
    campaign(calls=20).save(tmp_path / name)
    cli.main(["report", str(tmp_path / name), "--json"])
    monkeypatch.chdir(tmp_path / name)
    cli.main(["report", ".", "--json"])
    assert pages == [tmp_path / f"{name}.html"] * 2


def test_ctrl_c_while_modules_are_imported_is_no_traceback(monkeypatch, capsys):
    monkeypatch.setattr(cli, "main", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert command_line.main() == 130
    assert capsys.readouterr() == ("", "")


def test_a_command_removes_what_a_killed_one_left(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "jamlab-browser-abcdefgh.tmp").mkdir()
    cli.main(["report", str(tmp_path / "nowhere")])
    assert "nowhere" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_sigterm_leaves_no_temporary_folder(tmp_path, monkeypatch):
    def killed(_):
        with tempfile.TemporaryDirectory(dir=tmp_path):
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("it went on")

    monkeypatch.setattr(command, "run_connectivity", killed)
    with pytest.raises(SystemExit) as ended:
        cli.main(["connectivity"])
    assert ended.value.code == 128 + signal.SIGTERM
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("name", sorted(cli.COMPLAINTS))
def test_each_complaint_is_an_error_and_so_is_what_is_derived_from_it(name):
    """A class that was renamed would end in a traceback."""
    error = resolve_name(name)
    assert f"{error.__module__}.{error.__qualname__}" == name
    derived = type("DerivedError", (error,), {"__init__": lambda self: None})
    assert cli.is_complaint(derived())


def test_other_errors_are_faults_of_ours():
    assert not cli.is_complaint(ValueError("boom"))
