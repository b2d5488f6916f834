"""The notebook across networks: made into a page of a real short run."""

import re

import pytest

from jamlab.measure.across_networks.simulated import measure_on
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.record import RecordError
from jamlab.report.page.html import notebook_path, render
from tests.notebooks.cells import run_cells
from tests.report.page.pages import Page

pytestmark = pytest.mark.slow

NOTEBOOK = "05_latency_across_networks"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    plan = LatencyPlan(duration_s=1.0, round_trip_s=0.0, settle_s=1.0, sessions=1)
    for name in ("LAN", "4G"):
        measure_on(name, plan, 1, folder / "record" / name)
    parameters = {"record": str(folder / "record")}
    made = render(notebook_path(NOTEBOOK), parameters, folder / "page.html")
    return Page(made.read_text(encoding="utf-8"))


def test_its_page_has_the_tables_and_the_figure_and_reaches_nowhere(page):
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables == ["parts", "verdicts", "profiles", "bands"]
    assert len(page.images) == 1
    assert page.addresses == []
    assert "script" not in page.tags
    assert "4G" in page.text
    assert not re.search(r"(?i)\bnan\b", page.text)


def test_a_network_there_is_not_is_told_in_a_sentence(tmp_path):
    parameters = {"network": "lunar", "out": str(tmp_path / "record")}
    with pytest.raises(ValueError, match="network is 'lunar': choose simulated or kernel"):
        run_cells(NOTEBOOK, parameters)


def test_a_record_that_is_not_there_is_told_in_a_sentence(tmp_path):
    (tmp_path / "LAN").mkdir()
    with pytest.raises(RecordError, match="is missing"):
        run_cells(NOTEBOOK, {"record": str(tmp_path)})
