"""A notebook, executed with parameters and made into one HTML page that needs nothing else.

The page is drawn by a template of its own (``template/page.html.j2``), for nbconvert's load scripts
from elsewhere: here there is no script at all, and the page's own policy forbids it to fetch
anything.
"""

import tempfile
from pathlib import Path
from typing import Any

import jamlab
from jamlab.measure.connectivity_record import SIMULATED
from jamlab.measure.record import read_json

CONNECTIVITY_FOLDER = "connectivity"
"""Name of the folder, within a latency record's, that holds a connectivity record."""

NETWORKS_FOLDER = "networks"
"""Name of the folder, within a latency record's, that holds records across networks."""

KERNEL_FOLDER = "kernel-networks"
"""Name of the folder that holds records across networks of the kernel's."""

ACCEPTANCE_FOLDER = "acceptance"
"""Name of the folder, within a latency record's, that holds a record of acceptance tests."""

CARD_FOLDER = "card"
"""Name of the folder, within a latency record's, that holds a sound card's record."""

_FURTHER_PARTS = {
    ACCEPTANCE_FOLDER: "06_acceptance_tests",
    NETWORKS_FOLDER: "05_latency_across_networks",
    CONNECTIVITY_FOLDER: "02_p2p_success_rate",
}
_TEMPLATE = Path(__file__).parent / "template"
_HEAD = ("masthead", "verdicts")  # ids of the cells a page begins with


class ReportError(RuntimeError):
    """A report that could not be made; says why in one sentence."""


def notebook_path(name: str) -> Path:
    """Find one of jamlab's notebooks, in a checkout or in an installed wheel.

    Parameters
    ----------
    name : str
        File name without ``.ipynb``.

    Raises
    ------
    ReportError
        When there is no such notebook.
    """
    package = Path(jamlab.__file__).parent
    for folder in (package, package.parent):
        found = folder / "notebooks" / f"{name}.ipynb"
        if found.is_file():
            return found
    raise ReportError(f"there is no notebook {name!r}: reinstall jamlab")


def verification_report(record_folder: Path, html: Path) -> Path:
    """Make the report of a verification; its records are all it needs.

    Parameters
    ----------
    record_folder : Path
        Holds the latency record and, in `ACCEPTANCE_FOLDER`, `NETWORKS_FOLDER` and
        `CONNECTIVITY_FOLDER`, the record of acceptance tests, the records across networks and the
        connectivity record, if they are there; in `CARD_FOLDER`, a sound card's. The page begins
        with the verdicts of all.
    html : Path
        The page to be written, over any earlier one.

    Raises
    ------
    ReportError
        When a record cannot be read or the page cannot be written.
    """
    parts = [("01_loopback_latency", record_folder)]
    for folder, name in _FURTHER_PARTS.items():
        if (record_folder / folder).is_dir():
            parts.append((name, record_folder / folder))
    executed = [_execute(notebook_path(name), _parameters(folder)) for name, folder in parts]
    return _write_page(_joined(executed), html)


def _parameters(record_folder: Path) -> dict[str, str]:
    """Return the parameters of a part's notebook: its record, and the card's that lies in it."""
    card = record_folder / CARD_FOLDER
    beside = {"card": str(card.resolve())} if card.is_dir() else {}
    return {"record": str(record_folder.resolve())} | beside


def render(notebook: Path, parameters: dict[str, Any], html: Path) -> Path:
    """Execute a notebook and write what it shows as one HTML page.

    Cells tagged ``notebook-only`` are left out, as are all inputs and what goes to standard error.
    Where a cell has tags that begin with ``only-``, it is for records of such networks, e.g.
    ``only-simulated``.

    Parameters
    ----------
    notebook : Path
        Has a cell tagged ``parameters``; its metadata's ``title`` is the page's.
    parameters : dict
        Replace those of the notebook.
    html : Path
        The page to be written, over any earlier one.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    ReportError
        When the notebook fails or the page cannot be written; an earlier page is left as it was.
    """
    return _write_page(_execute(notebook, parameters), html)


def _execute(notebook: Path, parameters: dict[str, Any]) -> Any:
    """Run a notebook on this interpreter, whatever kernels are installed, and return it.

    The imports take seconds, which no other command of the terminal should pay.
    """
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    from jamlab.report.kernel import OwnKernelManager

    try:
        source = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
        source.cells = _cells_for(_network(parameters), source.cells)
        return papermill.execute_notebook(
            source,
            output_path=None,
            parameters=parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            kernel_manager_class=OwnKernelManager,
            extra_arguments=["--log-level=CRITICAL"],  # else it tells the terminal how it ends
            store_widget_state=False,
        )
    except PapermillExecutionError as error:
        raise ReportError(f"{notebook.name} failed: {_sentence(error)}") from error
    except Exception as error:  # the kernel died, the file is no notebook, ...: many libraries' own
        raise ReportError(f"{notebook.name} could not be run: {error}") from error


def _network(parameters: dict[str, Any]) -> str:
    """Return on which network the record that is shown was made; "" if it does not say."""
    try:
        told = read_json(Path(parameters.get("record", "")) / "provenance.json")
        return str(told.get("network", SIMULATED))
    except (OSError, ValueError, AttributeError):
        return ""  # the notebook itself says what is wrong


def _cells_for(network: str, cells: list[Any]) -> list[Any]:
    """Return the cells that are for any network, and those for this one."""
    tagged = [(cell, cell.metadata.get("tags", [])) for cell in cells]
    return [
        cell
        for cell, tags in tagged
        if f"only-{network}" in tags or not any(tag.startswith("only-") for tag in tags)
    ]


def _sentence(error: Any) -> str:
    """Return what a cell complained about; an exception without words is named."""
    words = " ".join(str(error.evalue).split())
    return words or str(error.ename)


def _joined(executed: list[Any]) -> Any:
    """Return one notebook: every one's verdicts, then each one's other cells under its title."""
    import nbformat

    if len(executed) == 1:
        return executed[0]
    heads: list[Any] = []
    bodies: list[Any] = []
    for number, notebook in enumerate(executed):
        title = nbformat.v4.new_markdown_cell(f"# {notebook.metadata.title}")  # type: ignore[no-untyped-call]
        bodies.append(title)
        for cell in notebook.cells:
            (heads if cell.id in _HEAD else bodies).append(cell)
            cell.id = f"{number}-{cell.id}"  # both have cells of the same name
    joined = nbformat.v4.new_notebook(cells=heads + bodies)  # type: ignore[no-untyped-call]
    joined.metadata["title"] = " · ".join(notebook.metadata.title for notebook in executed)
    return joined


def _write_page(executed: Any, html: Path) -> Path:
    page = _export(executed)
    try:
        _write_whole(html, page)
    except OSError as error:
        raise ReportError(f"{html} cannot be written: {error.strerror}") from error
    return html


def _export(executed: Any) -> str:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_file=str(_TEMPLATE / "page.html.j2"),
        extra_template_basedirs=[str(_TEMPLATE)],
        exclude_anchor_links=True,
    )
    page, _ = exporter.from_notebook_node(executed)
    return str(page)


def _write_whole(path: Path, text: str) -> None:
    """Write a file such that nobody ever finds half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        written = Path(folder) / path.name
        written.write_text(text, encoding="utf-8")
        written.replace(path)
