"""Tables of acceptance tests from made-up records."""

import pytest

from jamlab.measure.acceptance import different_networks as apart
from jamlab.measure.acceptance import sound
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.run import LEFT_OUT, TESTS
from jamlab.measure.acceptance.verdicts import acceptance_verdicts
from jamlab.report.acceptance import tables as acceptance
from tests.measure.acceptance.runs import good_finding, record_with, whole_record
from tests.report.page.pages import Page


def text(shown):
    return Page(shown._repr_html_()).text


@pytest.fixture(scope="module")
def record():
    return whole_record(TESTS)


@pytest.fixture
def left_out(record):
    return record.joined([], {}, not_run={"connection-blocked": LEFT_OUT})


class TestHead:
    def test_it_says_how_many_tests_and_what_came_of_them(self, record):
        words = text(acceptance.masthead(record, "Acceptance tests"))
        assert words.startswith("Acceptance tests 6 tests on virtual sound cards")
        assert words.endswith("PASS All 6 targets are met.")

    def test_what_was_not_run_is_counted(self, left_out):
        assert text(acceptance.masthead(left_out, "T")).endswith("; not run: 1 of 6.")

    def test_one_test_is_one(self):
        one = record_with(good_finding("local-capture"))
        assert "1 test on" in text(acceptance.masthead(one, "T"))


class TestVerdicts:
    def test_a_row_for_each_test(self, record):
        words = text(acceptance.verdict_table(record))
        for verdict in acceptance_verdicts(record):
            assert verdict.reason in words
        assert words.count("PASS") == 6

    def test_the_reason_why_one_was_not_run(self, left_out):
        words = text(acceptance.verdict_table(left_out))
        assert "NOT RUN Connection blocked not measured It was not run" in words


class TestFigures:
    @pytest.mark.parametrize("test", TESTS)
    def test_every_figure_of_a_test_has_a_row(self, record, test):
        words = text(acceptance.figure_table(record, test))
        figures = set(record.of(test)["figure"]) - {"loop lag, 99th percentile"}
        assert all(figure[1:] in words for figure in figures)

    def test_one_that_was_not_asked_for_says_so(self):
        one = record_with(good_finding("local-capture"))
        shown = acceptance.figure_table(one, "three-users-at-once")
        assert text(shown) == "This test was not requested."

    def test_one_that_was_not_run_says_why(self, left_out):
        words = text(acceptance.figure_table(left_out, "connection-blocked"))
        assert words == (
            "This test was not run, because the simulated internet was left out: "
            "run it without --here-only."
        )


class TestEvents:
    def test_they_are_in_order_of_time_and_never_markup(self, record):
        page = Page(acceptance.event_table(record, "connection-blocked")._repr_html_())
        assert "b" not in page.tags
        assert page.text.index("the firewall opens") < page.text.index("retrying <b>")
        assert "0.5 s" in page.text

    def test_of_several_places_each_is_named(self):
        finding = Finding("different-networks")
        finding.tell("home to home", 1.0, "connected")
        finding.tell("symmetric NATs", 2.0, "connected")
        words = text(acceptance.event_table(record_with(finding), "different-networks"))
        assert "Where" in words
        assert "home to home" in words

    def test_where_nothing_happened_there_is_no_table(self):
        quiet = record_with(Finding("connection-blocked"))
        assert acceptance.event_table(quiet, "connection-blocked") is None


class TestMix:
    def test_who_hears_whom_how_loud(self):
        finding = Finding("three-users-at-once")
        for sender, listener, level_dbfs in (("a", "a", -95), ("b", "a", -20.04), ("a", "b", -20)):
            finding.note(sound.LEVEL, f"{sender} → {listener}", level_dbfs)
        finding.note(sound.LEVEL, "b → b", -99)
        shown = acceptance.mix_table(record_with(finding)).data
        assert shown.to_dict("records") == [
            {"Heard by": "a", "from a": "not heard", "from b": "-20.0 dBFS"},
            {"Heard by": "b", "from a": "-20.0 dBFS", "from b": "not heard"},
        ]

    def test_without_levels_there_is_none(self):
        assert acceptance.mix_table(record_with(Finding("three-users-at-once"))) is None


class TestCases:
    def finding(self, name, relayed, **figures):
        finding = Finding("different-networks")
        finding.note(apart.CONNECTED_AFTER, name, figures.get("after_s", 11.5))
        finding.note(apart.CONTROL, name, figures.get("control", 0.0))
        if relayed is not None:
            finding.note(apart.RELAYED, name, relayed)
            finding.note(apart.LATENCY, f"{name}, player 1 → player 2", 49.0)
            finding.note(apart.LATENCY, f"{name}, player 2 → player 1", 51.0)
        return finding

    def test_a_row_says_how_they_connected_and_the_worse_latency(self):
        record = record_with(self.finding("symmetric NATs", 100.0))
        assert acceptance.case_table(record).data.to_dict("records") == [
            {
                "Networks": "symmetric NATs",
                "Servers": "STUN+TURN/UDP",
                "Connected after": "11.5 s",
                "Through TURN": "100 %",
                "95th percentile": "51 ms",
                "Without": "STUN: does not connect",
            }
        ]

    def test_one_that_did_not_connect_and_one_nobody_knows(self):
        record = record_with(self.finding("moon", None, after_s=60.0, control=1.0))
        (row,) = acceptance.case_table(record).data.to_dict("records")
        assert row["Through TURN"] == "not connected"
        assert row["95th percentile"] == "not measured"
        assert row["Without"] == "the next weaker configuration: connects as well"

    def test_where_nothing_was_tried_there_is_none(self):
        assert acceptance.case_table(record_with(Finding("different-networks"))) is None


def test_provenance_names_the_tests_the_machine_and_versions():
    record = AcceptanceRecord.of_findings(["local-capture"], [], failed={})
    words = text(acceptance.provenance_table(record))
    for fact in ("local-capture", "aiortc", "cores", "UTC"):
        assert fact in words
