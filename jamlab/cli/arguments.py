"""Argument types for output paths, checked before anything is measured."""

import os
from argparse import ArgumentTypeError
from pathlib import Path


def folder(text: str) -> Path:
    """Return the path of a folder that exists or can be made, or raise `ArgumentTypeError`."""
    path = Path(text)
    there = next(each for each in (path, *path.parents) if os.access(each, os.F_OK))
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ArgumentTypeError(f"you cannot write to {there}: choose another folder")
    return path


def page(text: str) -> Path:
    """Return the path of a file that can be written, or raise `ArgumentTypeError`."""
    path = Path(text)
    if os.access(path, os.F_OK) and (path.is_dir() or not os.access(path, os.W_OK)):
        raise ArgumentTypeError(f"you cannot write to {path}: choose another file")
    return folder(str(path.parent)) / path.name
