"""How every notebook is stored: empty, thin, for any Python kernel, with its parameters tagged."""

import ast
from pathlib import Path

import nbformat
import pytest

from jamlab.report.page.html import notebook_path

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
TOP_LEVEL_AWAIT = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
LONGEST = 20
"""Lines of a cell: what is longer belongs into the package, where it is tested."""


@pytest.fixture(params=NAMES)
def notebook(request):
    return nbformat.read(notebook_path(request.param), as_version=4)


def test_each_has_a_number_of_its_own():
    numbers = [name.partition("_")[0] for name in NAMES]
    assert all(len(number) == 2 and number.isdecimal() for number in numbers)
    assert len(set(numbers)) == len(numbers)


def test_it_imports_from_no_deeper_than_a_reader_would_guess(notebook):
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    deep = [module for module in imports(code) if module.partition(".")[0] == "jamlab"]
    assert set(deep) <= {"jamlab", "jamlab.report", "jamlab.widgets"}


def imports(code):
    """Yield the modules that are imported from, at the top or anywhere."""
    for node in ast.walk(compile(code, "a notebook", "exec", TOP_LEVEL_AWAIT)):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_it_is_valid_and_empty_for_any_python_kernel(notebook):
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_its_cells_are_thin(notebook):
    code = [cell.source.splitlines() for cell in notebook.cells if cell.cell_type == "code"]
    assert max(map(len, code)) <= LONGEST


def test_it_begins_in_words_and_the_first_code_is_its_parameters(notebook):
    assert notebook.cells[0].cell_type == "markdown"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    tagged = ["parameters" in cell.metadata.get("tags", []) for cell in code]
    assert tagged == [True] + [False] * (len(code) - 1)
