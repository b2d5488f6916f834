"""Commands, options and make targets in the documents exist."""

import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

import nbformat
import pytest

from jamlab.cli.commands import command_parser

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "data" / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("notebooks/*.ipynb")),
]
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
TARGET = re.compile(r"^(?:- run: )?make ([a-z][\w-]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
SHELL = {">", "|", "||", "&&", ";"}  # end a command


def text_of(path):
    """Return a document's text; for a notebook, the text of its cells."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def lines(text):
    """Return the lines of a document's code blocks, which readers copy and run."""
    return [line.strip() for block in FENCE.findall(text) for line in block.splitlines()]


def spans(text):
    """Return the inline code of a document, which may have only part of a command."""
    return [" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text))]


def command(line):
    """Return the arguments of the `jamlab` command in a line of shell; None without one."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return None  # a line of another language
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    if words[:1] != ["jamlab"]:
        return None
    end = next((n for n, word in enumerate(words) if word in SHELL), len(words))
    return words[1:end]


@pytest.fixture(scope="module")
def options():
    """The options of every command, from its help."""
    found = {}
    for name in re.findall(r"^    ([a-z]+)(?: |$)", command_parser().format_help(), re.MULTILINE):
        with redirect_stdout(io.StringIO()) as told, pytest.raises(SystemExit):
            command_parser().parse_args([name, "--help"])
        listed = re.findall(r"^  (?:-h, )?(--[\w-]+)", told.getvalue(), re.MULTILINE)
        found[name] = set(listed)
    return found


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def text(request):
    return text_of(request.param)


def test_commands_to_copy_are_taken_as_they_are(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in filter(None, map(command, lines(text))):
        command_parser().parse_args(words)


def test_commands_in_sentences_have_their_options(text, options):
    for words in filter(None, map(command, spans(text))):
        name, *others = words
        assert name in options, words
        assert set(OPTION.findall(" ".join(others))) <= options[name], words


def test_targets_exist(text):
    makefile = (ROOT / "Makefile").read_text()
    for code in (*lines(text), *spans(text)):
        for target in TARGET.findall(code):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_they_are_found():
    block = "```\nKEY=… jamlab join a --echo > b\nmake lab\n```\n"
    text = f"Type `jamlab doctor` or `make\ntest`.\n{block}"
    assert [command(line) for line in lines(text)] == [["join", "a", "--echo"], None]
    assert [command(span) for span in spans(text)] == [["doctor"], None]
    assert [TARGET.findall(line) for line in lines(text)] == [[], ["lab"]]
    assert [TARGET.findall(span) for span in spans(text)] == [[], ["test"]]


def test_one_that_does_not_exist_is_refused():
    with pytest.raises(SystemExit):
        command_parser().parse_args(command("jamlab verify --fast"))
