"""Execution of notebooks with parameters, and export to one self-contained HTML page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jamlab.measure.connectivity.record import SIMULATED
from jamlab.measure.record import read_json
from jamlab.measure.session_connectivity.record import SESSIONS_FOLDER, SessionRecord
from jamlab.process.whole_files import written_whole
from jamlab.report.page.document import Section, not_run, page, section
from jamlab.resources import shipped

CONNECTIVITY_FOLDER = "connectivity"
"""Name of this record's folder inside a latency record's folder, as the names below."""

NETWORKS_FOLDER = "networks"

KERNEL_FOLDER = "kernel-networks"
"""Name of the folder of records across the kernel's networks."""

BROWSER_NETWORKS_FOLDER = "kernel-networks-browsers"
"""Name of the folder of records of browsers across the kernel's networks."""

ACCEPTANCE_FOLDER = "acceptance"

BROWSER_ACCEPTANCE_FOLDER = "browser-acceptance"

BROWSER_FOLDER = "browser"

CARD_FOLDER = "card"

PLAYOUT_FOLDER = "playout"

RIG_FOLDER = "rig"
"""Name of the folder of the records of programs, a folder each."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a verification, with the notebook that shows it."""

    anchor: str
    title: str
    short: str
    notebook: str
    folder: str = ""
    """Name of its folder, inside the latency record's folder."""
    lacking: str = "This folder has no record of it: jamlab verify without --here-only makes one."
    """The reason why it was not run, where the folder is missing."""


PARTS = (
    Part("latency", "Latency between participants", "Latency", "01_loopback_latency"),
    Part(
        "networks",
        "Latency across networks",
        "Networks",
        "05_latency_across_networks",
        NETWORKS_FOLDER,
    ),
    Part(
        "connections",
        "Connections over the internet",
        "Connections",
        "02_p2p_success_rate",
        CONNECTIVITY_FOLDER,
    ),
    Part(
        "browsers",
        "Latency between browsers",
        "Browsers",
        "07_browser_latency",
        BROWSER_FOLDER,
        "This folder has no record of it: jamlab verify without --here-only makes one where there "
        "is a browser (apt-get install chromium, and in the checkout .venv/bin/pip install -e "
        "'.[browser]').",
    ),
    Part("acceptance", "Acceptance tests", "Acceptance", "06_acceptance_tests", ACCEPTANCE_FOLDER),
)
"""The parts of a verification, in the order of the page."""
CELL_TIMEOUT_S = 600
"""Time limit of a notebook's cell: a kernel without memory is alive, but never answers."""
_ONCE = "once-"  # prefix of the tag of cells that a page of several notebooks shows once


class ReportError(RuntimeError):
    """Raised when a report cannot be made; states why in one sentence."""


def notebook_path(name: str) -> Path:
    """Return the path of one of jamlab's notebooks, in a checkout or an installed wheel.

    The name is without ``.ipynb``; raises `ReportError` when there is no such notebook.

    Examples
    --------
    >>> notebook_path("00_first_look").name
    '00_first_look.ipynb'
    """
    found = shipped(f"notebooks/{name}.ipynb")
    if found is not None:
        return found
    raise ReportError(f"there is no notebook {name!r}: reinstall jamlab")


def verification_report(record_folder: Path, html: Path) -> Path:
    """Write the report of a verification from its records; the page begins with all verdicts.

    The latency record is in `record_folder`. If present in it, the acceptance record in
    `ACCEPTANCE_FOLDER`, the records across networks in `NETWORKS_FOLDER`, the connectivity record
    in `CONNECTIVITY_FOLDER` and a sound card's in `CARD_FOLDER` are included. An earlier page is
    replaced. Raises `ReportError` when a record cannot be read or the page cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from jamlab import example_record
    >>> with TemporaryDirectory() as folder:
    ...     record = example_record().save(Path(folder) / "record")
    ...     page = verification_report(record, Path(folder) / "page.html")
    ...     "Where the time goes" in page.read_text(encoding="utf-8")
    True
    """
    sections = list(_sections(record_folder))
    return _write_page(page("Verification", sections), html)


def _sections(record_folder: Path) -> Iterator[Section]:
    """Yield a section for each part of a verification, including parts that were not run."""
    shown: set[str] = set()
    for part in PARTS:
        folder = record_folder / part.folder
        if part.folder and not folder.is_dir():
            yield not_run(part.anchor, part.title, part.lacking, short=part.short)
            continue
        executed = _execute(notebook_path(part.notebook), _parameters(folder))
        _leave_out(executed, shown)
        yield section(executed, part.anchor, deeper=1, short=part.short)


def _leave_out(executed: Any, shown: set[str]) -> None:
    """Remove cells that an earlier notebook of the page has shown, and note this notebook's."""
    tags = [set(cell.metadata.get("tags", ())) for cell in executed.cells]
    executed.cells = [
        cell for cell, its in zip(executed.cells, tags, strict=True) if not its & shown
    ]
    shown |= {tag for its in tags for tag in its if tag.startswith(_ONCE)}


def _parameters(record_folder: Path) -> dict[str, str]:
    """Return the parameters of a part's notebook: its record, and a card's record inside it."""
    card = record_folder / CARD_FOLDER
    beside = {"card": str(card.resolve())} if card.is_dir() else {}
    return {"record": str(record_folder.resolve())} | beside


def render(notebook: Path, parameters: dict[str, Any], html: Path) -> Path:
    """Execute a notebook, write its outputs as one HTML page, and return the page's path.

    Cells tagged ``notebook-only``, all inputs and standard error are left out. A cell with tags
    that begin with ``only-`` is for records of these networks, e.g. ``only-simulated``, or with
    sessions in them (``only-sessions``). Parameters replace those of the cell tagged
    ``parameters``; the page's title is the metadata's ``title``.

    An earlier page is replaced. Raises `ReportError` when the notebook fails or the page cannot be
    written; an earlier page is then unchanged.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     page = render(notebook_path("00_first_look"), {}, Path(folder) / "page.html")
    ...     "Where the time goes" in page.read_text(encoding="utf-8")
    True
    """
    executed = _execute(notebook, parameters)
    anchors = {part.notebook: part.anchor for part in PARTS}
    shown = section(executed, anchors.get(notebook.stem, "page"))
    return _write_page(page(shown.title, [shown]), html)


def _execute(notebook: Path, parameters: dict[str, Any]) -> Any:
    """Execute a notebook on this interpreter, whatever kernels are installed, and return it.

    It imports inside, because the imports take seconds, which other commands should not pay.
    """
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from jamlab.report.page.own_kernel import OwnKernelManager

    try:
        source = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
        source.cells = _cells_for(_kinds(parameters), source.cells)
        return papermill.execute_notebook(
            source,
            output_path=None,
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            execution_timeout=CELL_TIMEOUT_S,
            kernel_manager_class=OwnKernelManager,
            extra_arguments=["--log-level=CRITICAL"],  # without it, it logs its end to the terminal
            store_widget_state=False,
        )
    except PapermillExecutionError as error:
        raise ReportError(f"{notebook.name} failed: {_sentence(error)}") from error
    except Exception as error:  # many libraries' own: the kernel died, the file is not JSON, ...
        raise ReportError(f"{notebook.name} could not be run: {error}") from error


def _kinds(parameters: dict[str, Any]) -> set[str]:
    """Return the kinds of the record that is shown: its network, and `SESSIONS_FOLDER` if in it."""
    folder = Path(parameters.get("record", ""))
    try:
        provenance = read_json(folder / "provenance.json")
        network = str(provenance.get("network", SIMULATED))
    except (OSError, ValueError, AttributeError):
        return set()  # the notebook itself reports the error
    has_sessions = SessionRecord.lies_in(folder / SESSIONS_FOLDER)
    return {network, SESSIONS_FOLDER} if has_sessions else {network}


def _cells_for(kinds: set[str], cells: list[Any]) -> list[Any]:
    """Return the cells for any record and those for one of these kinds."""
    wanted = {f"only-{kind}" for kind in kinds}
    tagged = [(cell, set(cell.metadata.get("tags", []))) for cell in cells]
    return [
        cell
        for cell, tags in tagged
        if tags & wanted or not any(tag.startswith("only-") for tag in tags)
    ]


def _sentence(error: Any) -> str:
    """Return the message of a cell's exception, or its type if it has none."""
    words = " ".join(str(error.evalue).split())
    return words or str(error.ename)


def _write_page(text: str, html: Path) -> Path:
    try:
        with written_whole(html.parent, html.name) as aside:
            (aside / html.name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ReportError(
            f"{html} cannot be written ({error.strerror}): make room there, or write the page of "
            "the record to another file by jamlab report RECORD --out FILE"
        ) from error
    return html
