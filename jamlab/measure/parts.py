"""The finished chunks of a campaign on the disk, from which an interrupted one is continued."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from jamlab.process.whole_files import written_whole


class CampaignError(RuntimeError):
    """Raised for a campaign that cannot be run or completed."""


class Parts:
    """The finished chunks of a campaign as Parquet files, and a file with its parameters.

    A chunk is known by the number of its first call. Raises `CampaignError` when the folder has
    chunks of another description, a JSON object.
    """

    def __init__(self, folder: Path, description: str) -> None:
        self._folder = folder / "parts"
        self._about = self._folder / "campaign.json"
        self._claim(description)

    def has(self, first: int) -> bool:
        """Return whether the chunk that begins with a call is finished."""
        return self._path(first).exists()

    def write(self, first: int, rows: pd.DataFrame) -> None:
        """Write a chunk's rows, whole or not at all."""
        with _whole_or_not_at_all(self._path(first)) as path:
            rows.to_parquet(path, index=False)

    def read_all(self, firsts: Iterable[int]) -> pd.DataFrame:
        """Return the rows of all chunks, in order, and delete the files.

        Raises `CampaignError` when a file cannot be read; all of them stay.
        """
        table = pd.concat([self._read(n) for n in firsts], ignore_index=True)
        self._about.unlink()  # first: without it, files left behind belong to no campaign
        shutil.rmtree(self._folder)
        return table

    def _read(self, first: int) -> pd.DataFrame:
        path = self._path(first)
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise CampaignError(
                f"{path} cannot be read ({error}): delete it and run the same command again, which "
                "makes its calls anew"
            ) from error

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:09d}.parquet"

    def _claim(self, description: str) -> None:
        if not self._about.exists():
            self._folder.mkdir(exist_ok=True)
            for part in self._folder.glob("[0-9]*.parquet"):
                part.unlink()  # left behind by a campaign without parameters
            with _whole_or_not_at_all(self._about) as path:
                path.write_text(description, encoding="utf-8")
        elif (kept := self._about.read_text(encoding="utf-8", errors="replace")) != description:
            raise CampaignError(
                f"{self._folder} holds an unfinished campaign with other parameters or versions "
                f"({_differences(kept, description)}): finish it first, delete it, or choose "
                "another folder"
            )


@contextmanager
def _whole_or_not_at_all(path: Path) -> Iterator[Path]:
    """Yield a path to write a file to; when it is complete it is moved to its place."""
    try:
        with written_whole(path.parent, path.name) as aside:
            yield aside / path.name
    except OSError as error:
        raise CampaignError(
            f"finished calls cannot be saved in {path.parent} ({error.strerror or error}): free "
            "space there and run the same command again, which continues, or choose another folder"
        ) from error


def _differences(kept: str, wanted: str) -> str:
    """Return, in words, how a saved campaign differs from the requested one."""
    try:
        theirs = dict(json.loads(kept))
    except (TypeError, ValueError):
        return "its campaign.json cannot be read"
    ours = json.loads(wanted)
    return ", ".join(
        f"{key} {theirs.get(key)} instead of {value}"
        if isinstance(value, int | float | str) and key != "population"
        else key
        for key, value in ours.items()
        if theirs.get(key) != value
    )
