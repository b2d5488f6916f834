import getpass
import platform
import re
import sys
from pathlib import Path

import nbformat
import pytest

import jamlab
from jamlab.measure.summary import verdicts
from jamlab.report import html
from jamlab.report.html import (
    ACCEPTANCE_FOLDER,
    CARD_FOLDER,
    CONNECTIVITY_FOLDER,
    ReportError,
    notebook_path,
    render,
    verification_report,
)
from tests.measure.attempts import campaign, populations_in_kernels
from tests.measure.card_records import card_record
from tests.report.pages import Page
from tests.report.records import drawn_record

MEGABYTE = 1 << 20
NOTEBOOK = "01_loopback_latency"
IMAGES = {2: 6, 3: 7}  # the map of pairs is for more than two players


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
        export = html._export
        patch.setattr(
            html, "_export", lambda notebook: export(executed.append(notebook) or notebook)
        )
        made = verification_report(folder / "record", folder / "deep" / "page.html")
    return record, made, folder, executed[0]


@pytest.fixture(scope="module")
def page(reported):
    return Page(reported[1].read_text(encoding="utf-8"))


def test_the_page_reaches_nowhere(reported, page):
    text = reported[1].read_text(encoding="utf-8")
    assert page.addresses == []
    assert len(page.images) == IMAGES[3]
    assert not {"script", "link", "iframe", "object", "embed", "form", "base", "a"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert re.search(r"(?i)\bhttps?:|(?<![\w/+])//\w", text) is None


def test_the_page_forbids_itself_to_fetch_anything(page):
    policies = [value for tag, name, value in page.attributes if (tag, name) == ("meta", "content")]
    assert any("default-src 'none'" in policy for policy in policies)


def test_the_page_is_small(reported):
    assert 50_000 < reported[1].stat().st_size < 3 * MEGABYTE


def test_the_page_has_a_title_and_begins_with_the_verdicts(reported, page):
    assert "Latency between players" in reported[1].read_text(encoding="utf-8").split("</title>")[0]
    tables = [value for tag, name, value in page.attributes if (tag, name) == ("table", "class")]
    assert tables == ["verdicts", "paths", "mouth-to-ear", "provenance"]
    first_words = page.text.split("PASS and FAIL mean")[0]
    for verdict in verdicts(reported[0]):
        assert verdict.verdict in first_words
        assert verdict.reason in first_words
    assert len(first_words) < 1000


def test_the_page_shows_no_code_and_no_jupyter(page):
    for machinery in ("import ", "jamlab.report", "verification_report", "In [", "Out[", "Jupyter"):
        assert machinery not in page.text
    assert "Run all cells" not in page.text


def test_every_figure_has_words_for_who_cannot_see_it(page):
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(set(alts)) == len(alts) == IMAGES[3]
    assert all(len(alt) > 20 for alt in alts)


def test_the_page_names_nobody_s_machine(reported, page):
    _, _, folder, _ = reported
    shown = "\n".join([page.text, *(image.text for image in page.images)])
    values = "\n".join(str(v) for p in (page, *page.images) for _, _, v in p.attributes if v)
    checkout = Path(jamlab.__file__).parent.parent
    for path in (folder, Path.home(), checkout, Path(sys.prefix)):
        assert str(path) not in shown + values
    for name in (getpass.getuser(), platform.node()):
        assert not re.search(rf"\b{re.escape(name)}\b", shown)


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


def test_two_records_make_one_page_that_begins_with_both_verdicts(both):
    tables = [value for tag, name, value in both.attributes if (tag, name) == ("table", "class")]
    assert tables[:3] == ["verdicts", "verdicts", "paths"]
    assert tables[3:] == ["mouth-to-ear", "provenance", "shares", "times", "states", "provenance"]
    head = both.text.split("PASS and FAIL mean")[0]
    for words in ("One-way latency", "Share of direct-capable calls", "Latency between players"):
        assert words in head
    assert both.tags.count("html") == both.tags.count("title") == 1


def test_a_card_that_lies_in_the_record_is_added(tmp_path):
    folder = drawn_record(2, clicks=90).save(tmp_path / "record")
    card_record({64: 300}).save(folder / CARD_FOLDER)
    text = Page(verification_report(folder, tmp_path / "page.html").read_text("utf-8")).text
    assert "an output 6.25 ms" in text
    assert "Mouth to ear not measured" not in text


def test_each_part_of_a_joined_page_stands_under_its_title(both):
    _, latency, connections = both.text.split("PASS and FAIL mean")
    assert "Where the time goes" in latency
    assert latency.rstrip().endswith("Connections over the internet")
    assert "What TURN buys" in connections
    assert both.addresses == []


def test_the_parts_of_a_page_are_those_there_are_records_of(tmp_path, monkeypatch):
    executed = []
    monkeypatch.setattr(html, "_execute", lambda path, _: executed.append(path.stem))
    monkeypatch.setattr(html, "_joined", lambda parts: parts)
    monkeypatch.setattr(html, "_write_page", lambda _, page: page)
    for folder in (CONNECTIVITY_FOLDER, ACCEPTANCE_FOLDER):
        (tmp_path / folder).mkdir()
    verification_report(tmp_path, tmp_path / "page.html")
    assert executed == [NOTEBOOK, "06_acceptance_tests", "02_p2p_success_rate"]


def test_a_joined_page_complains_of_nothing(tmp_path, monkeypatch, capfd):
    first, second = (notebook_of(tmp_path, "x = 1", "x") for _ in range(2))
    executed = [html._execute(path, {}) for path in (first, second)]
    capfd.readouterr()  # ipykernel may complain when it ends
    made = html._write_page(html._joined(executed), tmp_path / "page.html")
    assert Page(made.read_text()).text == "A title · A title A title 1 A title 1"
    assert capfd.readouterr() == ("", "")


def test_nothing_but_the_page_is_left(reported):
    _, made, folder, _ = reported
    assert list(made.parent.iterdir()) == [made]
    assert not list(folder.rglob("*.ipynb"))


def test_a_record_without_a_heard_click_still_gives_a_page(tmp_path, capfd):
    drawn_record(2, clicks=20, missed=1.0).save(tmp_path / "record")
    made = verification_report(tmp_path / "record", tmp_path / "page.html")
    silent = Page(made.read_text(encoding="utf-8"))
    assert silent.text.count("INCONCLUSIVE") >= 3
    assert not re.search(r"(?i)\bnan\b", silent.text)
    assert len(silent.images) == IMAGES[2]
    assert capfd.readouterr() == ("", "")


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
    assert written.text == "<b>T <script> '<script>'"


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
    monkeypatch.setattr(jamlab, "__file__", str(package / "__init__.py"))
    assert notebook_path("x") == shipped
    with pytest.raises(ReportError, match="'y'"):
        notebook_path("y")
