"""The client's modules in Node, without a browser."""

import json
import re
import shutil
import subprocess

import pytest

from jamlab.resources import client_folder


def run_js(script, given):
    """Run a script that has the client's modules and `given`; return what it writes as JSON."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js: apt-get install nodejs")
    folder = client_folder().as_uri()
    text = re.sub(r'from "\./', f'from "{folder}/', script)
    read = "import { readFileSync } from 'node:fs';\nconst given = JSON.parse(readFileSync(0));\n"
    done = subprocess.run(
        [node, "--input-type=module", "--no-warnings", "--eval", read + text],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
