"""The session's notebook as a user runs it: in JupyterLab, with its panel, every cell to the end.

The others are executed by `make docs`, where an error is an error; that of the meters by
test_meters.
"""

import nbformat
import pytest

from jamlab.report.page.html import notebook_path

NAME = "03_jam_session"


@pytest.mark.slow
def test_it_runs_to_the_end_without_an_error(opened, tmp_path):
    stored, path = nbformat.read(notebook_path(NAME), as_version=4), tmp_path / "short.ipynb"
    (parameters,) = [c for c in stored.cells if c.metadata.get("tags") == ["parameters"]]
    parameters.source += "\nduration_s = 3.0"
    nbformat.write(stored, path)
    with opened(path, width=1100, height=1000) as notebook:
        notebook.run_all()
        notebook.screenshot(NAME)
        assert notebook.complaints == []
