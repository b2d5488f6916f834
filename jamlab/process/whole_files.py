"""Atomic writing of files: each is replaced whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(folder: Path, last: str) -> Iterator[Path]:
    """Yield a temporary folder; move its files to their destination after all are written.

    When writing fails, the destination keeps its earlier files. Each file is replaced atomically,
    but a set of files is not: the last one has to state which files belong together.

    Parameters
    ----------
    folder : Path
        Destination; files of the same names are replaced. It is made if it does not exist.
    last : str
        Name of the file that is moved after all others. It also names the temporary folder, so the
        next call removes the remains of a killed process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{last}.unfinished"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        yield aside
        written = [path.relative_to(aside) for path in aside.rglob("*") if path.is_file()]
        for path in sorted(written, key=lambda path: (path == Path(last), path)):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (aside / path).replace(folder / path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
