"""The end of the process: its status and its last lines, whatever native libraries do."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, os, sys, types, weakref
from jamlab import __main__ as command_line, cli

native = types.ModuleType("sounddevice")
native._exit_handler = os.abort  # as an assertion of PortAudio's or JACK's
class Kept: pass
kept = Kept()

def run(given=None):
    sys.modules["sounddevice"] = native
    atexit.register(native._exit_handler)
    weakref.finalize(kept, print, "cleaned up")
    print("the record is written")
    {ending}

cli.main = run
command_line.command()
"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [("return 0", 0), ("return 3", 3), ("sys.exit(143)", 143), ("raise ValueError('why')", 70)],
)
def test_what_a_native_library_does_at_the_end_takes_neither_status_nor_lines(ending, status):
    program = PROGRAM.format(ending=ending)
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout) == (status, "the record is written\ncleaned up\n")
    assert ("ValueError: why" in ended.stderr) is (status == 70)


def test_without_portaudio_the_process_ends_as_any_other():
    program = "from jamlab import __main__ as it, cli; cli.main = lambda: 4; it.command()"
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert ended.returncode == 4
