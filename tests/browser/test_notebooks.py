"""Notebooks as a user runs them: in JupyterLab, every cell to the end.

04 is with the meters; the others are executed by `make docs`, too, where an error is an error.
"""

import nbformat
import pytest

from jamlab.report.page.html import notebook_path

SHORT = {
    "01_loopback_latency": {"sessions": 1, "duration_s": 2.0, "round_trip_s": 2.0},
    "03_jam_session": {"duration_s": 3.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORT)
def test_it_runs_to_the_end_without_an_error(opened, tmp_path, name):
    short = SHORT[name] if name == "03_jam_session" else {**SHORT[name], "out": str(tmp_path)}
    stored, path = nbformat.read(notebook_path(name), as_version=4), tmp_path / "short.ipynb"
    (parameters,) = [c for c in stored.cells if c.metadata.get("tags") == ["parameters"]]
    parameters.source += "".join(f"\n{key} = {value!r}" for key, value in short.items())
    nbformat.write(stored, path)
    with opened(path, width=1100, height=1000) as notebook:
        notebook.run_all()
        notebook.screenshot(name)
        assert notebook.complaints == []
