"""A parent of this process, as `jamlab.process.parent` sees it: pipes for its standard input."""

import json
import os
import sys
from contextlib import contextmanager

import pytest


@contextmanager
def parent(*messages):
    """Be a parent that has sent some messages; yields a function by which it is gone."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(json.dumps(message).encode() + b"\n" for message in messages))
    writer = os.fdopen(writing, "wb")
    with os.fdopen(reading) as stdin, writer, pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "stdin", stdin)
        yield writer.close


def lines_of(capsys):
    """Return what this process has said to its parent."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
