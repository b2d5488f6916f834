"""Output of text from outside, and in encodings that lack characters."""

import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from jamlab.terminal import PlainConsole, literal, visible
from tests.examples import examples

EVIL = [
    "Mic [/b]",
    "[jam]",
    "turn:guitar:3478",
    "[link=x]y[/link]",
    "\\[a]",
    "[/]",
    ":warning:",
    "$$",
]


def printed(console_type, content):
    written = io.StringIO()
    console_type(file=written, width=200).print(content)
    return written.getvalue()


@pytest.mark.parametrize("text", EVIL)
def test_markup_of_others_is_text(text):
    assert printed(PlainConsole, text) == f"{text}\n"


@pytest.mark.parametrize("console_type", [Console, PlainConsole])
@pytest.mark.parametrize("text", EVIL)
def test_in_a_table_too_whatever_the_console(console_type, text):
    table = Table("name", title=literal(text), caption=literal(text))
    table.add_row(literal(text))
    assert printed(console_type, table).count(text) == 3


@examples(200)
@given(st.text())
def test_no_control_character_reaches_a_terminal(text):
    """ECMA-48: C0 except tab and new line, delete, and C1."""
    for written in (visible(text), printed(PlainConsole, text), printed(Console, literal(text))):
        assert not [c for c in written if c not in "\t\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]


def test_an_escape_is_written_out():
    assert visible("\x1b]0;owned\x07 \x9b2J\u202eevil") == r"\x1b]0;owned\x07 \x9b2J\u202eevil"
    assert visible("Zoë 👩‍🎤 می‌خواهم\u00a0x\ty\n") == "Zoë 👩‍🎤 می‌خواهم\u00a0x\ty\n"


LOG = """
import logging, sys
from jamlab import __main__, cli

def log(*_):
    try:
        raise ValueError("\x1b[2J")
    except ValueError:
        logging.getLogger("jamlab.mesh").exception("about %s", "\x1b]0;owned\x07")
    return 0

cli.main = log
sys.exit(__main__.main())
"""


def test_in_the_log_it_is_written_out_too():
    """Words of peers and of servers come into the log in messages and in errors."""
    ended = subprocess.run([sys.executable, "-c", LOG], capture_output=True, text=True)
    assert ended.returncode == 0
    assert "\x1b" not in ended.stderr
    assert "about \\x1b]0;owned\\x07\nTraceback" in ended.stderr
    assert ended.stderr.endswith("ValueError: \\x1b[2J\n")


SCRIPT = """
import sys
from jamlab.terminal import PlainConsole, literal, say, use_any_encoding
use_any_encoding()
PlainConsole(width=80).print(literal("✓ ada → bob ≥ 5 名"))
PlainConsole(stderr=True, width=80).print("✗ \\udcff")
say("✓ 名")
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "shift_jis", "utf-8"])
def test_any_encoding_will_do(encoding):
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run([sys.executable, "-c", SCRIPT], env=env, capture_output=True)
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.decode(encoding)
    assert re.fullmatch(
        r"(✓|yes) ada (→|->) bob (≥|>=) 5 (名|\\u540d)\n(✓|yes) (名|\\u540d)\n", said
    )
    assert re.fullmatch(r"(✗|NO) \\udcff\n", ended.stderr.decode(encoding))


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full: use Linux")
def test_a_full_disk_behind_the_output_is_one_sentence_and_no_verdict():
    command = [sys.executable, "-c", RUN_JSON]
    with FULL.open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 74
    assert ended.stderr.startswith("jamlab: the output cannot be written (")
    assert ended.stderr.count("\n") == 1


RUN_JSON = """
import sys
from jamlab import __main__, cli
cli.main = lambda: print("[]") or 0
sys.exit(__main__.main())
"""


def test_a_reader_that_leaves_is_no_verdict():
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-c", RUN_JSON]
        ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writing)
    assert (ended.returncode, ended.stderr) == (74, "")


def test_a_console_whose_reader_left_tells_it():
    class Left(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError(errno.EPIPE, "gone")

    with pytest.raises(BrokenPipeError):
        PlainConsole(file=Left()).print("words")
