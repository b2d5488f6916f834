import getpass
import platform
import re
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

import jamlab
from jamlab import resources
from jamlab.measure.latency.run import ROUND_TRIP
from jamlab.measure.latency.verdicts import verdicts
from jamlab.measure.verdict import overall
from jamlab.report.page import html
from jamlab.report.page.html import (
    ACCEPTANCE_FOLDER,
    CARD_FOLDER,
    CONNECTIVITY_FOLDER,
    PARTS,
    ReportError,
    notebook_path,
    render,
    verification_report,
)
from tests.measure.connectivity.attempts import campaign, populations_in_kernels
from tests.measure.sound_card.records import card_record
from tests.report.latency.records import drawn_record
from tests.report.page.pages import Page

MEGABYTE = 1 << 20
NOTEBOOK = "01_loopback_latency"
IMAGES = {2: 7, 3: 8}  # the map of pairs is for more than two players


def notebook_of(folder, *cells, title="A title"):
    """Write a notebook of code cells, the first of which takes the parameters."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["title"] = title
    path = folder / "small.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Three players, some clicks not heard: the record, its page, the folder, executed cells."""
    folder = tmp_path_factory.mktemp("reported")
    record = drawn_record(3, missed=0.02)
    record.save(folder / "record")
    executed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "error")  # in the kernel; what it says goes to stderr
        execute = html._execute
        patch.setattr(html, "_execute", lambda *a: executed.append(execute(*a)) or executed[-1])
        made = verification_report(folder / "record", folder / "deep" / "page.html")
    return record, made, folder, executed[0]


@pytest.fixture(scope="module")
def page(reported):
    return Page(reported[1].read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_page_reaches_nowhere(reported, page):
    text = reported[1].read_text(encoding="utf-8")
    assert page.addresses == []
    assert len(page.images) == IMAGES[3]
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert all(value.startswith("#") for _, name, value in page.attributes if name == "href")
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert re.search(r"(?i)\bhttps?:|(?<![\w/+])//\w", text) is None


@pytest.mark.slow
def test_the_page_forbids_itself_to_fetch_anything(page):
    policies = [value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")]
    assert any("default-src 'none'" in policy for policy in policies)


@pytest.mark.slow
def test_the_page_is_small(reported):
    assert 50_000 < reported[1].stat().st_size < 3 * MEGABYTE


@pytest.mark.slow
def test_the_page_opens_with_a_sentence_and_a_line_for_each_part(reported, page):
    first_words = page.text.split("Decided by")[0]
    assert page.headings[0] == (1, None, "Verification")
    assert str(overall(verdicts(reported[0]))) in first_words
    assert "of 3 targets" in first_words
    assert "not run: latency across networks, connections over" in first_words
    head, latency, *not_run = page.table("parts")
    assert head == ["Part", "Verdict", "Targets met", "Decided by"]
    assert latency[0] == "Latency between participants"
    assert {latency[1].split()[-1]} == {str(overall(verdicts(reported[0])))}
    assert len(not_run) == len(PARTS) - 1
    for row in not_run:
        assert row[1] == "– NOT RUN"
        assert "--here-only" in row[3]


@pytest.mark.slow
def test_the_verdicts_of_a_part_come_first_in_it(reported, page):
    tables = [name for name, _ in page.tables]
    ensemble = ["ensemble-groups", "ensemble-pairs", "tempo"]
    others = [*ensemble, "paths", "mouth-to-ear", "provenance"]
    assert tables == ["parts", "verdicts", "musicians", "bands", *others]
    shown = " ".join(" ".join(row) for row in page.table("verdicts"))
    for verdict in verdicts(reported[0]):
        assert verdict.verdict in shown
        assert verdict.reason in shown
        assert verdict.measured in shown


@pytest.mark.slow
def test_beside_the_one_way_latency_stands_what_it_means_to_musicians(page):
    assert "To musicians, " in page.table("verdicts")[1][-1]
    assert "sound cards not counted" in page.table("parts")[1][-1]
    assert "To musicians, " not in page.table("verdicts")[2][-1]


@pytest.mark.slow
def test_the_page_shows_no_code_and_no_jupyter(page):
    for machinery in ("import ", "jamlab.report", "verification_report", "In [", "Out[", "Jupyter"):
        assert machinery not in page.text
    assert "Run all cells" not in page.text


@pytest.mark.slow
def test_every_figure_has_words_for_who_cannot_see_it(page):
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(set(alts)) == len(alts) == IMAGES[3]
    assert all(len(alt) > 20 for alt in alts)


@pytest.mark.slow
def test_the_page_names_nobody_s_machine(reported, page):
    _, _, folder, _ = reported
    shown = "\n".join([page.text, *(image.text for image in page.images)])
    values = "\n".join(str(v) for p in (page, *page.images) for _, _, v in p.attributes if v)
    checkout = Path(jamlab.__file__).parent.parent
    for path in (folder, Path.home(), checkout, Path(sys.prefix)):
        assert str(path) not in shown + values
    ours = "\n".join(path.read_text() for path in Path(jamlab.__file__).parent.rglob("*.py"))
    for name in (getpass.getuser(), platform.node()):
        pattern = re.compile(rf"\b{re.escape(name)}\b")
        assert not pattern.search(shown) or pattern.search(ours)  # e.g. a user called musician


@pytest.mark.slow
def test_the_notebook_complains_of_nothing(reported):
    outputs = [output for cell in reported[3].cells for output in cell.get("outputs", [])]
    assert outputs
    assert {output.output_type for output in outputs} <= {"execute_result", "display_data"}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The page of a verification that has a latency record and a connectivity record."""
    folder = tmp_path_factory.mktemp("both")
    drawn_record(2, clicks=90).save(folder / "record")
    campaign(calls=60).save(folder / "record" / CONNECTIVITY_FOLDER)
    with pytest.MonkeyPatch.context() as patch:
        populations_in_kernels(patch, folder / "site")
        made = verification_report(folder / "record", folder / "page.html")
    return Page(made.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_two_records_make_one_page_that_begins_with_both(both):
    assert [row[0] for row in both.table("parts")[1:]] == [part.title for part in html.PARTS]
    decided = {row[0]: row[-1] for row in both.table("parts")}
    assert "latency" in decided["Latency between participants"]
    assert "calls" in decided["Connections over the internet"]
    assert both.tags.count("html") == both.tags.count("title") == both.tags.count("main") == 1


@pytest.mark.slow
def test_the_parts_follow_in_the_order_of_the_opening(both):
    titles = [words for level, _, words in both.headings if level == 2]
    assert titles == ["Latency between participants", "Connections over the internet"]
    tables = [name for name, _ in both.tables]
    assert tables.index("paths") < tables.index("shares")


@pytest.mark.slow
def test_every_link_leads_somewhere_and_every_anchor_is_one(both):
    assert len(both.links) > 20
    assert set(both.links) <= set(both.ids)
    assert len(both.ids) == len(set(both.ids))


@pytest.mark.slow
def test_the_contents_lead_to_every_part_and_every_section(both):
    wanted = {anchor for level, anchor, _ in both.headings if level == 3}
    assert wanted | {"latency", "connections", "main"} <= set(both.links)


@pytest.mark.slow
def test_no_level_of_headings_is_left_out(both):
    levels = [level for level, _, _ in both.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.slow
def test_the_page_says_its_language_and_has_landmarks(both):
    assert ("html", "lang", "en") in both.attributes
    assert both.tags.count("main") == both.tags.count("nav") == 1
    assert "header" in both.tags


@pytest.mark.slow
def test_a_card_in_the_record_is_added_and_is_what_counts_for_musicians(tmp_path):
    folder = drawn_record(2, clicks=90).save(tmp_path / "record")
    card_record({64: 300}).save(folder / CARD_FOLDER)
    shown = Page(verification_report(folder, tmp_path / "page.html").read_text("utf-8"))
    assert "from mouth to ear" in shown.table("parts")[1][-1]
    assert "not counted" not in shown.table("parts")[1][-1]
    assert "Sound card: its loopback, an input and an output 6.25 ms" in shown.text
    assert "Mouth to ear not measured" not in shown.text


@pytest.mark.slow
def test_a_joined_page_reaches_nowhere(both):
    assert both.addresses == []


def test_the_parts_of_a_page_are_those_there_are_records_of(tmp_path, monkeypatch):
    executed = []

    def execute(path, _parameters):
        executed.append(path.stem)
        return nbformat.v4.new_notebook(metadata={"title": path.stem})

    monkeypatch.setattr(html, "_execute", execute)
    for folder in (CONNECTIVITY_FOLDER, ACCEPTANCE_FOLDER):
        (tmp_path / folder).mkdir()
    verification_report(tmp_path, tmp_path / "page.html")
    assert executed == [NOTEBOOK, "02_p2p_success_rate", "06_acceptance_tests"]


def test_what_two_notebooks_would_both_say_is_said_once():
    said = set()
    pages = []
    for number in range(2):
        cells = [nbformat.v4.new_markdown_cell(words) for words in (f"own {number}", "common")]
        cells[1].metadata["tags"] = ["once-common"]
        notebook = nbformat.v4.new_notebook(cells=cells)
        html._leave_out(notebook, said)
        pages.append([cell.source for cell in notebook.cells])
    assert pages == [["own 0", "common"], ["own 1"]]


@pytest.mark.slow
def test_nothing_but_the_page_is_left(reported):
    _, made, folder, _ = reported
    assert list(made.parent.iterdir()) == [made]
    assert not list(folder.rglob("*.ipynb"))


@pytest.mark.slow
def test_a_record_without_a_heard_click_still_gives_a_page(tmp_path, capfd):
    drawn_record(2, clicks=20, missed=1.0).save(tmp_path / "record")
    made = verification_report(tmp_path / "record", tmp_path / "page.html")
    silent = Page(made.read_text(encoding="utf-8"))
    assert silent.text.count("INCONCLUSIVE") >= 3
    assert not re.search(r"(?i)\bnan\b", silent.text)
    assert len(silent.images) == IMAGES[2]
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_record_of_round_trips_alone_gives_a_page(tmp_path, capfd):
    """As notebook 03 measures it."""
    whole = drawn_record()
    parts = {
        name: getattr(whole, name)[lambda table: table["measurement"] == ROUND_TRIP]
        for name in ("clicks", "streams", "waveforms")
    }
    replace(whole, **parts).save(tmp_path / "record")
    made = verification_report(tmp_path / "record", tmp_path / "page.html")
    text = Page(made.read_text(encoding="utf-8")).text
    assert "NOT RUN" in text
    assert "The record has no one-way measurement." in text
    assert "PASS Round-trip latency" in " ".join(text.split())
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_failing_notebook_gives_its_cause_and_leaves_the_old_page(tmp_path):
    old = tmp_path / "page.html"
    old.write_text("old")
    with pytest.raises(
        ReportError, match=r"^01_loopback_latency\.ipynb failed: .*is missing"
    ) as told:
        verification_report(tmp_path / "nowhere", old)
    assert "\n" not in str(told.value)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise ValueError('two\\nlines')", "two lines"),
        ("import os; os._exit(1)", "Kernel died"),
    ],
)
def test_any_failure_is_one_sentence(tmp_path, code, cause):
    notebook = notebook_of(tmp_path, "x = 1", code)
    with pytest.raises(ReportError, match=cause) as told:
        render(notebook, {}, tmp_path / "page.html")
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == [notebook]


@pytest.mark.parametrize("content", [None, "no notebook"])
def test_what_is_no_notebook_is_named(tmp_path, content):
    path = tmp_path / "strange.ipynb"
    if content:
        path.write_text(content)
    with pytest.raises(ReportError, match=r"strange\.ipynb could not be run"):
        render(path, {}, tmp_path / "page.html")


def test_a_kernel_that_never_answers_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(html, "CELL_TIMEOUT_S", 1)
    with pytest.raises(ReportError, match="could not be run: A cell timed out"):
        render(notebook_of(tmp_path, "import time; time.sleep(3600)"), {}, tmp_path / "page.html")


def test_a_page_that_cannot_be_written_is_named(tmp_path):
    notebook = notebook_of(tmp_path, "x = 1")
    with pytest.raises(ReportError, match=r"page\.html cannot be written"):
        render(notebook, {}, notebook / "page.html")


def test_the_kernel_is_this_interpreter_whatever_is_installed(tmp_path, monkeypatch):
    spec = tmp_path / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True)
    (spec / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "other"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = notebook_of(tmp_path, "wanted = ''", "import sys\nprint(sys.executable == wanted)")
    made = render(notebook, {"wanted": sys.executable}, tmp_path / "page.html")
    assert Page(made.read_text()).text.endswith("True")


def test_what_a_notebook_prints_and_is_called_is_never_markup(tmp_path):
    notebook = notebook_of(
        tmp_path,
        "x = ''",
        "print(x)",
        "x",
        "import sys; print('no!', file=sys.stderr)",
        title="<b>T",
    )
    made = render(notebook, {"x": "<script>"}, tmp_path / "page.html")
    written = Page(made.read_text())
    assert not {"script", "b"} & set(written.tags)
    assert written.text.endswith("<b>T <script> '<script>'")


def test_notebooks_are_found_in_a_checkout():
    assert (
        notebook_path(NOTEBOOK)
        == Path(jamlab.__file__).parents[1] / "notebooks" / f"{NOTEBOOK}.ipynb"
    )


def test_notebooks_are_found_in_a_wheel(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "jamlab"
    shipped = package / "notebooks" / "x.ipynb"
    shipped.parent.mkdir(parents=True)
    shipped.touch()
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    assert notebook_path("x") == shipped
    with pytest.raises(ReportError, match="'y'"):
        notebook_path("y")
