"""Where the data that comes with jamlab is: in a checkout, or in an installed wheel."""

from pathlib import Path


def data_path(name: str) -> Path:
    """Return the path of a data file.

    Parameters
    ----------
    name : str
        File name, with its ending.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    """
    found = shipped(f"data/{name}")
    if found is not None:
        return found
    raise FileNotFoundError(f"jamlab has no data file {name!r}: reinstall jamlab")


def shipped(path: str) -> Path | None:
    """Return where a file is that ships with jamlab; None when it is not there.

    Parameters
    ----------
    path : str
        Relative to a checkout, e.g. ``"data/home.csv"``.
    """
    package = Path(__file__).parent
    for folder in (package, package.parent):
        found = folder / path
        if found.is_file():
            return found
    return None
