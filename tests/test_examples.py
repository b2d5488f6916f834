"""Every public name has a tested example, in its docstring or in a notebook of the site."""

import ast
import doctest
import importlib
from pathlib import Path

import nbformat
import pytest

from jamlab.report import notebook_path

FOLDER = Path(__file__).parent.parent / "notebooks"
FACADES = [
    "jamlab",
    "jamlab.report",
    "jamlab.report.acceptance",
    "jamlab.report.across_networks",
    "jamlab.report.browser_networks",
    "jamlab.report.connectivity",
    "jamlab.report.dump",
    "jamlab.report.ensemble",
    "jamlab.report.latency",
    "jamlab.report.live_mesh",
    "jamlab.report.playout",
    "jamlab.report.recording",
    "jamlab.report.rig",
    "jamlab.report.session_connectivity",
    "jamlab.report.sound_quality",
    "jamlab.widgets",
]
SLOW = {
    *("render", "verification_report"),
    *("analyse", "delay_table", "recording_verdicts", "window_table", "measure_sound_quality"),
}
"""Names whose example executes notebooks, or searches or makes a recording."""
TOP_LEVEL_AWAIT = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


def public():
    """Return the value of every public name of the package, by the name that a user writes."""
    return {
        f"{facade.__name__}.{name}": getattr(facade, name)
        for facade in map(importlib.import_module, FACADES)
        for name in facade.__all__
    }


def documented(value):
    """Return the doctests of a public class or function, its methods included."""
    if not callable(value):
        return []
    module = importlib.import_module(value.__module__)
    tests = doctest.DocTestFinder(exclude_empty=True).find(value, value.__name__, module)
    return [test for test in tests if test.examples]


PUBLIC = public()
DOCUMENTED = {name: tests for name, value in PUBLIC.items() if (tests := documented(value))}


def used(code):
    """Return the names and dotted names that code uses, except in imports."""
    tree = compile(code, "an example", "exec", TOP_LEVEL_AWAIT)
    return {
        ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)
    }


def examples():
    """Yield the code of every notebook and docstring."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        cells = nbformat.read(notebook_path(path.stem), as_version=4).cells
        yield "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    for tests in DOCUMENTED.values():
        yield from ("".join(each.source for each in test.examples) for test in tests)


def in_code(name):
    """Return a public name without its importable prefix, e.g. ``latency.waterfall``."""
    for facade in ("jamlab.report.", "jamlab.widgets.", "jamlab."):
        if name.startswith(facade):
            return name.removeprefix(facade)
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if in_code(name) in SLOW else ())
        for name in DOCUMENTED
    ],
)
def test_the_example_of_a_docstring_gives_what_it_says(name):
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in DOCUMENTED[name]:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_every_public_name_has_an_example():
    shown = set().union(*map(used, examples()))
    assert [name for name in PUBLIC if in_code(name) not in shown] == []


def test_a_name_that_is_only_imported_has_none():
    assert used("from jamlab import tone\nawait latency.waterfall(run)") == {
        "latency.waterfall",
        "latency",
        "run",
    }
