"""Tables of an agreement, read as text."""

import pytest

from jamlab.measure.connectivity_on_kernel.agreement import agreement_configurations
from jamlab.measure.connectivity_on_kernel.agreement_record import AgreementRecord
from jamlab.report.connectivity.agreement import (
    cells_table,
    players_table,
    server_logs_html,
    summary_table,
    verdict_table,
)
from tests.measure.connectivity_on_kernel.agreements import (
    BLOCKED,
    FEW,
    agreement,
    browser_agreement,
    changed,
)
from tests.report.page.pages import Page

NO_BREAK = "\N{NO-BREAK SPACE}"


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
        assert set(table["Agree"]) == {"✓ yes"}
        for network in ("Simulated", "Kernel"):
            result, time = table[network].str.split(", ", expand=True).to_numpy().T
            assert [*result] == [*table["Rule"]]
            for each, rule in zip(time, table["Rule"], strict=True):
                timed = isinstance(each, str) and each.endswith(f"{NO_BREAK}s")
                assert timed == (rule != "failed")

    def test_say_what_was_luck(self, record):
        table = shown(cells_table(spoilt(record, "STUN+TURN/TLS", "relayed"), "STUN+TURN/TLS"))
        assert table["Kernel"].iloc[0].startswith("relayed by luck")
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


class TestPlayers:
    def test_each_pairing_has_columns_of_its_own(self, record):
        table = shown(cells_table(record, "STUN+TURN/UDP", browser_agreement()))
        rule = [*table["Rule"]]
        words = {
            "direct": f"direct, 0.10{NO_BREAK}s",
            "relayed": f"relayed, 0.15{NO_BREAK}s",
            "failed": "failed",
        }
        assert [*table["browser to browser"]] == [words[each] for each in rule]
        for players in ("browser to jamlab", "jamlab to browser", "jamlab to jamlab"):
            sample = ["–" if each == "failed" else words[each] for each in rule]
            assert [*table[players]] == sample
        assert "browser to browser" not in shown(cells_table(record, "STUN"))
        assert "jamlab to jamlab" not in shown(cells_table(record, "STUN", browser_agreement()))

    def test_a_call_that_was_not_made_is_a_dash(self, record):
        fewer = browser_agreement(types=FEW)
        table = shown(cells_table(record, "STUN", fewer))
        missing = table["Callee"].eq(BLOCKED.name) | table["Caller"].eq(BLOCKED.name)
        assert set(table.loc[missing, "browser to browser"]) == {"–"}
        assert "–" not in set(table.loc[~missing, "browser to browser"])
        assert set(table["Agree"]) == {"✓ yes"}

    def test_pairings_are_compared_over_the_cells_that_all_tried(self):
        table = shown(players_table(browser_agreement()))
        assert len(table) == 4
        assert set(table["Calls"].astype(int)) == {6 + 2 * 4}  # pairs; those with UDP blocked twice
        assert set(table["Failed"].astype(int)) == {0}
        assert set(table["Longest"]) == {"0.15 s"}

    def test_one_that_differs_does_not_agree(self, record):
        differing = browser_agreement(wrong=1)
        table = shown(cells_table(record, "STUN", differing))
        assert [*table["Agree"]].count("✗ no") == 1
        html = verdict_table(record, differing).to_html()
        assert "FAIL" in html
        assert "PASS" in html
