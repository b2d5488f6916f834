"""The page's part on the kernel's network, from made-up records."""

import pytest

from jamlab.measure.latency.routes import RELAYED
from jamlab.report.across_networks import kernel_links
from jamlab.report.across_networks import tables as across
from tests.measure.across_networks.kernel_records import kernel_record
from tests.measure.latency.records import record_of
from tests.report.page.pages import Page


@pytest.fixture
def records():
    found = [
        kernel_record(10.0, 0.0, network=None, links=()),
        kernel_record(30.0, 16.0),
        kernel_record(120.0, 98.0, network="transatlantic", route=RELAYED, went="relay"),
    ]
    return {record.name: record for record in found}


def page(shown):
    return Page(shown._repr_html_())


def test_the_head_says_where_it_was_measured(records):
    words = page(across.masthead(records, "Latency across networks")).text
    assert "2 participants on the kernel's network, each behind a router" in words
    assert "FAIL" in words


def test_every_case_is_judged_and_has_its_row(records):
    judged = page(across.verdict_table(records)).text
    assert judged.count("PASS") == 2
    assert judged.count("FAIL") == 1
    rows = page(across.profile_table(records)).text
    for words in ("no distance, direct", "plain cables", "transatlantic, relayed"):
        assert words in rows
    assert rows.count("49 ms") == 1


def test_the_figure_tells_the_links_delay_from_the_rest(records):
    axes = across.stages(records).axes[0]
    rest, delay = axes.containers
    assert [bar.get_width() for bar in rest] == pytest.approx([10.0, 14.0, 22.0])
    assert [bar.get_width() for bar in delay] == pytest.approx([0.0, 16.0, 98.0])
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == list(records)


def test_what_links_add_is_said_with_how_it_was_measured(records):
    words = kernel_links.added_sentence(records)
    assert "A datagram takes 7 µs between two namespaces" in words
    assert "takes 40 µs more (88 µs)" in words
    assert "delays by 10 ms takes 159 µs (276 µs) more than that delay, at least 95 µs" in words
    assert "from 400 datagrams each" in words
    assert words.startswith(
        "The kernel has no netem: this kernel has none; so processes carry the packets"
    )


def test_where_there_is_netem_it_is_said_why_it_was_not_used():
    record = kernel_record(no_netem=None)
    assert kernel_links.added_sentence({record.name: record}).startswith(
        "The kernel has netem, but"
    )


def test_a_row_per_link_and_one_per_path(records):
    shown = page(across.kernel_tables(records))
    tables = [value for tag, name, value in shown.attributes if (tag, name) == ("table", "class")]
    assert tables == ["carriers", "bounds"]
    assert shown.text.count("player-1-network-1") == 2  # the first case has no link
    assert "30 µs 90 µs 700 µs yes" in shown.text
    assert shown.text.count("player 1 → player 2") == 3
    assert "player 1 → player 2 direct 24.8 ms 16.00 ms 30.0 ms" in shown.text
    assert shown.addresses == []


def test_links_that_do_nothing_are_said_to():
    record = kernel_record(10.0, 0.0, network=None, links=())
    assert (
        "All links of this run were plain cables"
        in page(kernel_links.tables({record.name: record})).text
    )


def test_on_the_simulated_internet_there_is_nothing_of_it():
    simulated = record_of(lambda *_: [10.0] * 100, lambda *_: [20.0] * 100)
    assert across.kernel_tables({"LAN": simulated}) is None


def test_names_from_elsewhere_are_no_markup(records):
    record = kernel_record(links=("<b>home</b>",))
    assert "<b>home" not in kernel_links.tables({record.name: record}).data
