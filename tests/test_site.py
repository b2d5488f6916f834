"""The documentation site: its reader of notebooks, and the completeness of its reference."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

from tests.test_examples import PUBLIC

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))


@pytest.fixture(scope="module")
def tutorials():
    spec = importlib.util.spec_from_file_location("tutorials", ROOT / "docs" / "tutorials.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parameters(notebook):
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    return re.findall(r"^(\w+) =", cell.source, re.MULTILINE)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_read_with_parameters_that_it_has(path, tutorials):
    notebook = nbformat.read(path, as_version=4)
    small = tutorials.SMALL[notebook.metadata["title"]]
    read = tutorials.read(path.read_text(encoding="utf-8"))
    assert set(small) <= set(parameters(notebook))
    set_at = [n for n, cell in enumerate(read.cells) if cell.source.startswith(tuple(small))]
    assert bool(set_at) == bool(small)
    nbformat.validate(read)


def test_cells_for_other_networks_are_left_out(tutorials):
    read = tutorials.read((ROOT / "notebooks/02_p2p_success_rate.ipynb").read_text("utf-8"))
    ids = {cell.id for cell in read.cells}
    assert {"servers", "agreement", "coturn"} & ids == set()
    assert {"shares", "matrix", "states"} <= ids


def test_the_reference_has_every_public_name():
    text = "\n".join(path.read_text() for path in ROOT.glob("docs/reference/*.md"))
    whole = re.findall(r"automodule:: ([\w.]+)", text)
    named = set(re.findall(r"auto(?:class|function|data):: (\w+)", text))
    for name in PUBLIC:
        folder, _, own = name.rpartition(".")
        assert folder in whole or own in named or name in whole, name


def test_every_page_is_in_a_table_of_contents():
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [path for path in ROOT.glob("docs/**/*.md") if path.name != "index.md"]
    for path in pages:
        assert path.relative_to(ROOT / "docs").with_suffix("").as_posix() in index.split()
    for path in NOTEBOOKS:
        assert f"../notebooks/{path.stem}" in index.split()
