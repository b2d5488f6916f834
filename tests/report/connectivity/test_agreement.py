"""Tables of an agreement, read as text."""

import pytest

from jamlab.measure.connectivity_on_kernel.agreement import agreement_configurations
from jamlab.measure.connectivity_on_kernel.agreement_record import AgreementRecord
from jamlab.report.connectivity.agreement import (
    cells_table,
    server_logs_html,
    summary_table,
    verdict_table,
)
from tests.measure.connectivity_on_kernel.agreements import (
    agreement,
    browser_agreement,
    changed,
)
from tests.report.page.pages import Page


@pytest.fixture(scope="module")
def record():
    return agreement()


def spoilt(record, configuration, result, of=0):
    kernel = changed(record.kernel, configuration, result, of)
    return AgreementRecord(kernel, record.simulator, record.server_logs, record.provenance)


def shown(table):
    return table.data


def test_the_verdict_counts_cells(record):
    assert "PASS" in verdict_table(record).to_html()
    assert "FAIL" in verdict_table(spoilt(record, "STUN", "failed")).to_html()


class TestSummary:
    def test_has_a_row_per_configuration(self, record):
        table = shown(summary_table(record))
        assert [*table["Configuration"]] == [each.name for each in agreement_configurations()]
        assert set(table["Cells"]) == {"10"}
        sums = table[["Direct", "Relayed", "Failed"]].astype(int).sum(axis=1)
        assert set(sums) == {10}
        assert set(table["Disagree"]) == {"0"}

    def test_counts_luck_and_disagreements(self, record):
        lucky = shown(summary_table(spoilt(record, "STUN+TURN/UDP", "relayed")))
        luck = lucky.set_index("Configuration")["Relayed by luck, kernel"]
        before = shown(summary_table(record)).set_index("Configuration")["Relayed by luck, kernel"]
        assert int(luck["STUN+TURN/UDP"]) == int(before["STUN+TURN/UDP"]) + 1
        table = shown(summary_table(spoilt(record, "relay only", "failed")))
        assert table.set_index("Configuration")["Disagree"]["relay only"] == "1"

    def test_a_time_that_is_none_is_a_dash(self, record):
        only_failed = record.kernel["result"] == "failed"
        both = (record.kernel[only_failed], record.simulator[only_failed])
        table = shown(summary_table(AgreementRecord(*both, record.server_logs, record.provenance)))
        assert set(table["Median time to connect, kernel"]) == {"–"}


class TestCells:
    def test_are_side_by_side(self, record):
        table = shown(cells_table(record, "STUN"))
        assert len(table) == 10
        assert (table["Rule"] == table["Simulated"]).all()
        assert (table["Rule"] == table["Kernel"]).all()
        assert set(table["Agree"]) == {"✓ yes"}
        assert (table.loc[table["Rule"] == "failed", "Kernel, time to connect"] == "–").all()
        assert (
            table.loc[table["Rule"] == "direct", "Kernel, time to connect"].str.endswith("s").all()
        )

    def test_say_what_was_luck(self, record):
        table = shown(cells_table(spoilt(record, "STUN+TURN/TLS", "relayed"), "STUN+TURN/TLS"))
        assert table["Kernel"].iloc[0] == "relayed by luck, direct-capable"
        assert table["Agree"].iloc[0] == "✓ yes"

    def test_say_who_disagrees(self, record):
        table = shown(cells_table(spoilt(record, "relay only", "failed"), "relay only"))
        assert [*table["Agree"]].count("✗ no") == 1


class TestServerLogs:
    def test_are_escaped_and_folded(self, record):
        page = Page(server_logs_html(record.kernel, record.server_logs).data)
        assert page.tags.count("details") == 1
        assert "session 7: <b>said</b>" in page.text
        failed = int(record.kernel["time_to_connect_s"].isna().sum())
        assert f"1 of {failed} failed attempts had reached coturn" in page.text

    def test_of_none(self, record):
        page = Page(server_logs_html(record.kernel, record.server_logs.iloc[:0]).data)
        assert "0 of" in page.text
        assert "details" not in page.tags


class TestBrowsers:
    def test_they_have_columns_of_their_own(self, record):
        table = shown(cells_table(record, "STUN+TURN/TCP", browser_agreement()))
        rule = [*table["Rule"]]
        assert [*table["Browser"]] == rule
        assert set(table["Browser, time to connect"]) == {"0.10 s", "0.15 s"}
        assert "Browser" not in shown(cells_table(record, "STUN"))

    def test_one_that_differs_does_not_agree(self, record):
        differing = browser_agreement(wrong=1)
        table = shown(cells_table(record, "STUN", differing))
        assert [*table["Agree"]].count("✗ no") == 1
        html = verdict_table(record, differing).to_html()
        assert "FAIL" in html
        assert "PASS" in html
