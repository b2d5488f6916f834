"""What a command is to write, as its arguments: refused before anything is measured for it."""

import os
from argparse import ArgumentTypeError
from pathlib import Path


def folder(text: str) -> Path:
    """Return a folder that is there or can be made.

    Raises
    ------
    argparse.ArgumentTypeError
        Names what is in the way.
    """
    path = Path(text)
    there = next(each for each in (path, *path.parents) if os.access(each, os.F_OK))
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ArgumentTypeError(f"{there} is no folder that you may write to")
    return path


def page(text: str) -> Path:
    """Return a file that is there and may be written, or can be made.

    Raises
    ------
    argparse.ArgumentTypeError
        Names what is in the way.
    """
    path = Path(text)
    if os.access(path, os.F_OK) and (path.is_dir() or not os.access(path, os.W_OK)):
        raise ArgumentTypeError(f"{path} is no file that you may write to")
    return folder(str(path.parent)) / path.name
