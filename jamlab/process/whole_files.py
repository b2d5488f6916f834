"""Files written whole or not at all: nobody ever finds half of one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(folder: Path, last: str) -> Iterator[Path]:
    """Yield a folder aside, whose files take their places once all of them are written.

    Where writing them fails, what was there before is as it was. Of several files each is whole at
    any time; that they belong together, the last one has to say.

    Parameters
    ----------
    folder : Path
        Where the files go, over those of the same names; made if it is not there.
    last : str
        Name of the file that takes its place after all others. It names the folder aside, too, so
        what a process that was killed left there is gone after the next one.
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
