"""The chunks of a campaign: what a worker is given, and what is kept of those that are done."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.call import stand_in
from jamlab.measure.end import Level
from jamlab.measure.population import Population
from jamlab.measure.record import versions
from jamlab.process.whole_files import written_whole


class CampaignError(RuntimeError):
    """A campaign that cannot be run, or not to its end."""


@dataclass(frozen=True)
class Chunk:
    """Some calls of a campaign, all configurations; what a worker is given."""

    population: Population
    configurations: tuple[IceConfiguration, ...]
    seed: int
    first: int
    count: int
    level: Level
    deadline_s: float


class Parts:
    """The finished chunks of a campaign, a Parquet file each, beside what the campaign is."""

    def __init__(self, folder: Path, whole: Chunk) -> None:
        self._folder = folder / "parts"
        self._about = self._folder / "campaign.json"
        self._claim(_description(whole))

    def has(self, chunk: Chunk) -> bool:
        """Return whether a chunk is done."""
        return self._path(chunk).exists()

    def write(self, chunk: Chunk, rows: pd.DataFrame) -> None:
        """Keep a chunk's rows; whole, or not at all."""
        with _whole_or_not_at_all(self._path(chunk)) as path:
            rows.to_parquet(path, index=False)

    def read_all(self, chunks: Sequence[Chunk]) -> pd.DataFrame:
        """Return the rows of all chunks, in their order, and keep them no longer."""
        table = pd.concat([pd.read_parquet(self._path(c)) for c in chunks], ignore_index=True)
        self._about.unlink()  # first: what may be left of the rest is then nobody's
        shutil.rmtree(self._folder)
        return table

    def _path(self, chunk: Chunk) -> Path:
        return self._folder / f"{chunk.first:09d}.parquet"

    def _claim(self, description: str) -> None:
        if not self._about.exists():
            self._folder.mkdir(exist_ok=True)
            for part in self._folder.glob("[0-9]*.parquet"):
                part.unlink()  # of a campaign nobody knows any more
            with _whole_or_not_at_all(self._about) as path:
                path.write_text(description, encoding="utf-8")
        elif (kept := self._about.read_text(encoding="utf-8")) != description:
            raise CampaignError(
                f"{self._folder} holds an unfinished campaign with other parameters or versions "
                f"({_differences(kept, description)}): finish it first, delete it, or choose "
                "another folder"
            )


@contextmanager
def _whole_or_not_at_all(path: Path) -> Iterator[Path]:
    """Yield where to write a file, which is at its place when it is complete."""
    try:
        with written_whole(path.parent, path.name) as aside:
            yield aside / path.name
    except OSError as error:
        raise CampaignError(
            f"the calls made cannot be kept in {path.parent} ({error.strerror or error}): make "
            "room there, and the same command goes on, or choose another folder"
        ) from error


def _description(whole: Chunk) -> str:
    """Say what a campaign is, without credentials and names that are other ones each time."""
    return json.dumps(
        {
            "population": repr(whole.population),
            "configurations": [repr(stand_in(each)) for each in whole.configurations],
            "seed": whole.seed,
            "calls": whole.count,
            "level": whole.level,
            "deadline_s": whole.deadline_s,
            "versions": versions(),
        },
        indent=2,
    )


def _differences(kept: str, wanted: str) -> str:
    """Say in what a campaign that is kept differs from the one that is wanted."""
    try:
        theirs = dict(json.loads(kept))
    except (TypeError, ValueError):
        return "campaign.json there cannot be read"
    ours = json.loads(wanted)
    return ", ".join(
        f"{key} {theirs.get(key)} instead of {value}"
        if isinstance(value, int | float | str) and key != "population"
        else key
        for key, value in ours.items()
        if theirs.get(key) != value
    )
