"""The test of a blocked connection: it passes for the product and fails for injected faults."""

import asyncio
import logging

import pandas as pd
import pytest

from jamlab.measure.acceptance import connection_blocked as blocked
from jamlab.measure.acceptance.connection_blocked import CONNECTION_BLOCKED, connection_blocked
from jamlab.measure.acceptance.findings import LOOP_LAG, tables_of
from jamlab.measure.acceptance.run import measure_acceptance
from jamlab.measure.acceptance.simulated_homes import World
from jamlab.measure.acceptance.sound import LOCAL_CAPTURE
from jamlab.measure.acceptance.verdicts import acceptance_verdicts
from jamlab.mesh.notices import NoticeKind
from tests.measure.acceptance.runs import judged, values


@pytest.fixture(scope="module")
def finding():
    return connection_blocked()


@pytest.fixture(scope="module")
def events(finding):
    return tables_of([finding])["events"].sort_values("at_s", kind="stable")


CONCERNED = {f"{a} about {b}" for n in (1, 2) for a, b in (("player 3", f"player {n}"),)} | {
    f"player {n} about player 3" for n in (1, 2)
}


@pytest.mark.slow
class TestAsItIs:
    def test_every_figure_passes(self, finding):
        assert set(judged(finding).values()) == {"PASS"}

    def test_both_ends_of_each_blocked_connection_are_told(self, finding):
        for figure in (blocked.WARNED, blocked.WITHOUT_AUDIO):
            assert set(values(finding, figure)) == CONCERNED

    def test_nobody_is_told_of_a_connection_that_stands(self, events):
        about = {frozenset((event.who, event.peer)) for event in events.itertuples() if event.peer}
        assert about == {frozenset((f"player {n}", "player 3")) for n in (1, 2)}

    def test_each_is_told_of_trouble_then_of_silence_then_of_the_sound_s_return(self, events):
        for (_, _), told in events[events["peer"] != ""].groupby(["who", "peer"]):
            kinds = [NoticeKind.RETRYING, NoticeKind.NO_AUDIO]
            assert [*told["kind"]] == [*kinds, NoticeKind.RESTORED]
            opened_s = events.loc[events["who"] == "", "at_s"].item()
            assert told["at_s"].iloc[1] < opened_s < told["at_s"].iloc[2]

    def test_the_blocked_one_is_told_of_the_servers_once(self, events):
        told = events[(events["who"] != "") & (events["peer"] == "")]
        assert set(told["who"]) == {"player 3"}
        assert [*told["kind"]] == [NoticeKind.SERVERS_USELESS]

    def test_the_curves_show_who_was_heard_before_and_after(self, finding, events):
        opened_s = events.loc[events["who"] == "", "at_s"].item()
        curves = tables_of([finding])["curves"]
        third = curves[(curves["panel"] == "player 1") & (curves["series"] == "player 3")]
        assert third.loc[third["x"] < opened_s, "y"].max() < -60
        assert third["y"].iloc[-2] == pytest.approx(blocked.LEVEL_DBFS, abs=1)
        other = curves[(curves["panel"] == "player 1") & (curves["series"] == "player 2")]
        assert other["y"].median() == pytest.approx(blocked.LEVEL_DBFS, abs=1)

    async def test_a_process_of_a_pool_finds_the_same(self, finding, tmp_path):
        """What is played here, in real time, is this machine's affair today."""
        record = await measure_acceptance(tmp_path, [LOCAL_CAPTURE, CONNECTION_BLOCKED])
        assert record.failed == {}
        assert set(record.figures["test"]) == {LOCAL_CAPTURE, CONNECTION_BLOCKED}
        assert record.of(LOCAL_CAPTURE)["figure"].str.contains(LOOP_LAG).any()
        for name, table in tables_of([finding]).items():
            found = record.of(CONNECTION_BLOCKED, name).reset_index(drop=True)
            pd.testing.assert_frame_equal(found, table)
        captured, judged_so = acceptance_verdicts(record)
        assert captured.verdict in ("PASS", "INCONCLUSIVE", "FAIL")
        assert judged_so.verdict == "PASS"


@pytest.mark.slow
class TestFaults:
    def test_a_session_that_never_recovers_and_what_nobody_foresaw(self, monkeypatch):
        left = []

        def fail_instead(world, player):
            logging.getLogger("jamlab.somewhere").error("it rained")
            left.append(asyncio.create_task(asyncio.sleep(1e6), name="a task for ever"))

        monkeypatch.setattr(World, "open_firewalls", fail_instead)
        monkeypatch.setattr(blocked, "DEADLINE_S", 30.0)
        finding = connection_blocked()
        outcomes = judged(finding)
        assert outcomes.pop(blocked.RECOVERED) == "FAIL"
        assert outcomes.pop(blocked.HEARD_AGAIN) == "FAIL"
        assert outcomes.pop(blocked.UNFORESEEN) == "FAIL"
        assert set(outcomes.values()) == {"PASS"}
        words = [event[-1] for event in finding.events if event[1] == "errors"]
        assert words == ["it rained", "task left: a task for ever"]

    def test_a_warning_that_never_comes(self, monkeypatch):
        monkeypatch.setattr(blocked, "_OFFICE", blocked._HOME)
        monkeypatch.setattr(blocked, "DEADLINE_S", 20.0)
        finding = connection_blocked()
        assert judged(finding)[blocked.WARNED] == "FAIL"
        assert set(values(finding, blocked.WARNED).values()) == {20.0}
        assert judged(finding)[blocked.BLOCKED_HEARS] == "FAIL"


async def test_what_the_loop_and_the_loggers_report_is_collected():
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    with blocked._unforeseen() as found:
        logging.getLogger("x").warning("no error")
        logging.getLogger("x").error("an %s", "error")
        loop.call_exception_handler({"message": "nobody saw it"})
    assert found == ["an error", "nobody saw it"]
    assert loop.get_exception_handler() is before
    assert not any(isinstance(h, blocked._Collector) for h in logging.getLogger().handlers)
