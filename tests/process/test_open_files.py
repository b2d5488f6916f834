import subprocess
import sys

import pytest

resource = pytest.importorskip("resource", reason="no limit on open files here")

SCRIPT = """
import resource, sys
from jamlab.process.open_files import allow_open_files
hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
print(allow_open_files(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("wanted", "told"),
    [(50, "True 64 256"), (200, "True 200 256"), (256, "True 256 256"), (999, "False 256 256")],
)
def test_the_limit_is_raised_as_far_as_it_may_be(wanted, told):
    command = [sys.executable, "-c", SCRIPT, "256", str(wanted)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == f"{told}\n"
