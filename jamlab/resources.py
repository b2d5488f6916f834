"""Where the data that comes with jamlab is: in a checkout, or in an installed wheel."""

from pathlib import Path

import jamlab


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
    package = Path(jamlab.__file__).parent
    for folder in (package, package.parent):
        found = folder / "data" / name
        if found.is_file():
            return found
    raise FileNotFoundError(f"jamlab has no data file {name!r}: reinstall jamlab")
