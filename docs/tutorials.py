"""The notebooks as tutorials: with parameters small enough to execute them for every build."""

from typing import Any

import nbformat

SMALL: dict[str, dict[str, Any]] = {
    "First look at a run": {},
    "Latency between participants": {"record": "../data/example"},
    "Connections over the internet": {
        "out": "../reports/site/connectivity",
        "calls": 100,
        "other_populations": ["mobile"],
    },
    "A jam session across machines": {"duration_s": 3.0},
    "Level meters": {"duration_s": 2.0},
    "Latency across networks": {
        "out": "../reports/site/networks",
        "duration_s": 5.0,
        "networks": ["LAN", "same country", "4G"],
    },
    # Shown without outputs, see conf.py.
    "Latency between browsers": {},
    "Latency between browsers across networks": {},
    "Acceptance tests played by browsers": {},
    "Acceptance tests": {"out": "../reports/site/acceptance", "tests": ["connection-blocked"]},
    "Dump of a call": {},
    "Latency of a system, from a recording": {},
    "Latency of programs": {},
    "Quality of the encodings": {"duration_s": 2.0, "sessions": 1},
    "Playout buffers": {"out": "../reports/site/playout"},
}
"""Parameters of the build, by the notebook's title; the others keep the notebook's own."""

_ELSEWHERE = {"only-this-machine", "only-kernel"}  # tags of cells for records the build has none of


def read(text: str) -> nbformat.NotebookNode:
    """Return a notebook as it is executed for the site.

    Raises
    ------
    KeyError
        When the build has no parameters for a notebook of that title.
    """
    notebook = nbformat.reads(text, as_version=4)
    small = SMALL[notebook.metadata["title"]]
    notebook.cells = [cell for cell in notebook.cells if _is_shown(cell)]
    if small:
        place = next(n for n, cell in enumerate(notebook.cells) if "parameters" in _tags(cell))
        notebook.cells[place + 1 : place + 1] = _small_parameters(small)
    return notebook


def _tags(cell: Any) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def _is_shown(cell: Any) -> bool:
    tags = _tags(cell)
    return not tags & _ELSEWHERE or "only-simulated" in tags


def _small_parameters(small: dict[str, Any]) -> list[Any]:
    """Return the cells that replace parameters, and say so."""
    words = "For this page, the notebook was executed with these parameters in place of its own:"
    code = "\n".join(f"{name} = {value!r}" for name, value in small.items())
    return [nbformat.v4.new_markdown_cell(words), nbformat.v4.new_code_cell(code)]
