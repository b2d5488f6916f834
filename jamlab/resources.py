"""Files that ship with jamlab, in a checkout or an installed wheel, and small files of users."""

import errno
from pathlib import Path

MOST_BYTES = 1 << 20
"""Longest file that is read whole, such as one of certificates or servers."""


def read_small(path: Path) -> bytes:
    """Return a file's bytes; raises OSError when it has more than `MOST_BYTES`, as a device has."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise OSError(errno.EFBIG, f"it is longer than {MOST_BYTES >> 20} MiB")
    return data


def data_path(name: str) -> Path:
    """Return the path of a data file by its name with suffix.

    Raises FileNotFoundError if there is no such file.
    """
    found = shipped(f"data/{name}")
    if found is not None:
        return found
    raise FileNotFoundError(f"jamlab has no data file {name!r}: reinstall jamlab")


def client_folder() -> Path:
    """Return the folder of the web files of the reference client."""
    return Path(__file__).parent / "client"


def shipped(path: str) -> Path | None:
    """Return the path of a file that ships with jamlab, or None when it does not exist.

    `path` is relative to a checkout, e.g. ``"data/home.csv"``.
    """
    package = Path(__file__).parent
    for folder in (package, package.parent):
        found = folder / path
        if found.is_file():
            return found
    return None
