"""The cells of a notebook, run in this process: for tests of what makes no page."""

import ast
import asyncio
import inspect

import nbformat

from jamlab.report.page.html import notebook_path


def run_cells(name, parameters):
    """Run a notebook's code with parameters, on an event loop, until a cell raises."""
    asyncio.run(_run(nbformat.read(notebook_path(name), as_version=4).cells, parameters))


async def _run(cells, parameters):
    names = {}
    for cell in cells:
        if cell.cell_type == "code":
            code = compile(cell.source, cell.id, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            made = eval(code, names)
            if inspect.isawaitable(made):
                await made
        if "parameters" in cell.metadata.get("tags", ()):
            names.update(parameters)
