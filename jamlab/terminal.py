"""Output for people: text from outside is printed as it is, in any encoding, and never obeyed.

Names of rooms, devices and configurations, and the words of servers, come from others. To rich,
text in brackets is markup and a word between colons an emoji; to a terminal, control characters are
commands.
"""

import codecs
import errno
import io
import logging
import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters except tab and new line, and those that reorder what follows (UAX 9)."""
_SPELLED = str.maketrans(
    {
        "✓": "yes",
        "✗": "NO",
        "→": "->",
        "↔": "<->",
        "–": "-",
        "—": "-",
        "−": "-",
        "…": "...",
        "≥": ">=",
        "≤": "<=",
        "±": "+/-",
        "×": "x",
        "∞": "infinite",
        "µ": "u",
        "•": "*",
        "“": '"',
        "”": '"',
        "’": "'",
        "‘": "'",
    }
)
"""Our own signs in ASCII."""
_ERRORS = "jamlab.spelled"


def visible(text: str) -> str:
    r"""Return a text with its control characters written out, e.g. the escape as ``\x1b``."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def literal(text: str, style: str = "") -> Text:
    """Return a text for a table or a console, in which nothing is markup, emoji or a command."""
    return Text(visible(text), style=style)


class PlainConsole(Console):
    """A console that prints a string as it is: without markup, emoji and colours of its own."""

    def __init__(self, *, stderr: bool = False, file: TextIO | None = None, **options: Any) -> None:
        plain = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(stderr=stderr, file=file, **plain | options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a string as text, its control characters written out."""
        return super().render_str(visible(text), **options)

    def on_broken_pipe(self) -> None:
        """Leave the error to `jamlab.__main__`: the status 1 of rich's own would say FAIL."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def say(line: str) -> None:
    """Print a line to standard output at once."""
    print(visible(line), flush=True)


def use_any_encoding() -> None:
    """Let the standard streams take every character.

    Our own signs are spelled in ASCII where the stream's encoding lacks them, other characters are
    written as escapes.
    """
    codecs.register_error(_ERRORS, _spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


class _VisibleFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))


def log_visibly() -> None:
    """Write out control characters in the log on standard error: it has words of others."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_VisibleFormatter())


def _spelled(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end]
    return found.translate(_SPELLED).encode("ascii", "backslashreplace").decode(), error.end


def drop_output() -> None:
    """Send what standard output still holds to nowhere: Python would fail on it at its end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
