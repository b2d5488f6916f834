"""Every Python example of README and the documents runs as it stands."""

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jamlab.measure.recording.example import example_take
from jamlab.networks.kernel import coturn
from jamlab.networks.kernel import lab as kernel
from jamlab.resources import data_path

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "data/README.md",
]
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = {
    f"{path.relative_to(ROOT).as_posix()} {number}": code
    for path in DOCUMENTS
    for number, code in enumerate(FENCE.findall(path.read_text(encoding="utf-8")), start=1)
}
LESS = {
    "LatencyPlan(peers=3)": "LatencyPlan(2, duration_s=1.0, round_trip_s=1.0, sessions=1)",
    'SessionPlan("mobile", calls=200)': 'SessionPlan("mobile", calls=4)',
}
"""What examples measure, and less of the same."""
SLOW = "measure_in_worker", "measure_sessions"
"""Names in the code of examples that measure for a minute."""
AS_CELL = """
import ast, asyncio, inspect, sys
code = compile(open(sys.argv[1]).read(), sys.argv[1], "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
async def run():
    made = eval(code, {})
    if inspect.isawaitable(made):
        await made
asyncio.run(run())
"""
"""Runs code as a notebook's cell: on a running event loop, and it may await."""
SCRIPT = "run_simulated(", "__name__"
"""Code of examples that are a whole program, with an event loop or processes of its own."""


def marked(name):
    is_slow = any(word in EXAMPLES[name] for word in SLOW)
    return pytest.param(name, marks=pytest.mark.slow if is_slow else ())


def with_less(code):
    for much, less in LESS.items():
        code = code.replace(much, less)
    return code


@pytest.fixture
def folder(tmp_path):
    """A folder with the files that the examples name."""
    dump = gzip.decompress(data_path("example_dump.json.gz").read_bytes())
    (tmp_path / "webrtc_internals_dump.txt").write_bytes(dump)
    example_take(tmp_path / "take.wav")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", [*map(marked, EXAMPLES)])
def test_it_runs(name, folder):
    code = with_less(EXAMPLES[name])
    if "KernelLab" in code and (reason := kernel.unavailable() or coturn.unavailable()):
        pytest.skip(reason)
    (folder / "example.py").write_text(code, encoding="utf-8")
    (folder / "as_cell.py").write_text(AS_CELL, encoding="utf-8")
    is_script = any(word in code for word in SCRIPT)
    words = ["example.py"] if is_script else ["as_cell.py", "example.py"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    ended = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_is_measured_less_is_in_an_example():
    assert all(any(much in code for code in EXAMPLES.values()) for much in LESS)


def test_they_are_found():
    assert len(EXAMPLES) >= 9
    assert {name.split()[0] for name in EXAMPLES} >= {
        "README.md",
        "docs/how-to/dumps.md",
        "docs/how-to/simulated-networks.md",
    }
    assert any("simulated_world()" in code for code in EXAMPLES.values())
