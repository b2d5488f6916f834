"""Campaigns: thousands of simulated calls, each tried under several ICE configurations.

Calls are independent, so they are cut into chunks for any `concurrent.futures.Executor`, in any
order; the table is sorted at the end. With a folder, every finished chunk is written to it, and an
interrupted campaign continues from there. The number of chunks under way is limited, so memory does
not grow with the number of calls.

Sockets and clock of aioice and aiortc are replaced for the whole process, so a process runs one
chunk at a time: threads, such as a Dask worker's, are safe, but only processes share the work.
"""

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    wait,
)
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.attempt import DEADLINE_S, Attempt
from jamlab.measure.connectivity.call import Call, simulate, stand_in
from jamlab.measure.connectivity.ends import Level
from jamlab.measure.connectivity.population import Population
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS
from jamlab.measure.processes import Progress, process_pool
from jamlab.measure.provenance import versions
from jamlab.networks.simulated.world import simulated_world
from jamlab.process.pauses import collecting_every
from jamlab.process.whole_files import written_whole


class CampaignError(RuntimeError):
    """Raised for a campaign that cannot be run or completed."""


@dataclass(frozen=True)
class Chunk:
    """A worker's task: some calls of a campaign under all its configurations."""

    population: Population
    configurations: tuple[IceConfiguration, ...]
    seed: int
    first: int
    count: int
    level: Level
    deadline_s: float


class Parts:
    """The finished chunks of a campaign as Parquet files, and a file with its parameters."""

    def __init__(self, folder: Path, whole: Chunk) -> None:
        self._folder = folder / "parts"
        self._about = self._folder / "campaign.json"
        self._claim(_description(whole))

    def has(self, chunk: Chunk) -> bool:
        """Return whether a chunk is finished."""
        return self._path(chunk).exists()

    def write(self, chunk: Chunk, rows: pd.DataFrame) -> None:
        """Write a chunk's rows, whole or not at all."""
        with _whole_or_not_at_all(self._path(chunk)) as path:
            rows.to_parquet(path, index=False)

    def read_all(self, chunks: Sequence[Chunk]) -> pd.DataFrame:
        """Return the rows of all chunks, in order, and delete the files."""
        table = pd.concat([pd.read_parquet(self._path(c)) for c in chunks], ignore_index=True)
        self._about.unlink()  # first: without it, files left behind belong to no campaign
        shutil.rmtree(self._folder)
        return table

    def _path(self, chunk: Chunk) -> Path:
        return self._folder / f"{chunk.first:09d}.parquet"

    def _claim(self, description: str) -> None:
        if not self._about.exists():
            self._folder.mkdir(exist_ok=True)
            for part in self._folder.glob("[0-9]*.parquet"):
                part.unlink()  # left behind by a campaign without parameters
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
    """Yield a path to write a file to; when it is complete it is moved to its place."""
    try:
        with written_whole(path.parent, path.name) as aside:
            yield aside / path.name
    except OSError as error:
        raise CampaignError(
            f"finished calls cannot be saved in {path.parent} ({error.strerror or error}): free "
            "space there and run the same command again, which continues, or choose another folder"
        ) from error


def _description(whole: Chunk) -> str:
    """Return a campaign's parameters as JSON, without credentials and names that vary."""
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


CHUNK_CALLS = 50
_UNDER_WAY = 128
_COLLECT_EVERY = 2  # memory that is still in the processor's cache is the fastest to reuse
_one_at_a_time = threading.Lock()


def campaign(
    population: Population,
    configurations: Sequence[IceConfiguration],
    calls: int,
    seed: int,
    executor: Executor | None = None,
    *,
    level: Level = "ice",
    deadline_s: float = DEADLINE_S,
    folder: Path | None = None,
    progress: Progress = lambda *_: None,
) -> pd.DataFrame:
    """Try calls within a population under every configuration; return a row per attempt.

    Rows are in order of calls and configurations; columns as
    `jamlab.measure.connectivity.record.ATTEMPT_COLUMNS`. The same seed gives the same table,
    whatever the executor; by default that is a process pool on all cores, closed at the end. The
    deadline is in virtual seconds. With a folder, finished chunks are saved, so that the same
    campaign can be continued. Raises `CampaignError` when a parameter is out of range, the folder
    has another campaign, or a worker died.
    """
    check_parameters(calls, seed, level, deadline_s)
    check_names(configurations)
    whole = Chunk(
        population, tuple(configurations), int(seed), 0, int(calls), level, float(deadline_s)
    )
    with ExitStack() as stack:
        parts = Parts(stack.enter_context(_folder(folder)), whole)
        workers = stack.enter_context(process_pool()) if executor is None else executor
        missing = [chunk for chunk in _chunks(whole) if not parts.has(chunk)]
        left = sum(chunk.count for chunk in missing)
        progress(1 - left / calls, "calling")
        for chunk, rows in _work(workers, missing):
            parts.write(chunk, rows)
            left -= chunk.count
            progress(1 - left / calls, "calling")
        return parts.read_all(_chunks(whole))


def check_parameters(calls: int, seed: int, level: str, deadline_s: float) -> None:
    """Check a campaign's parameters; raises `CampaignError`, with the range of a wrong one."""
    _check("calls", calls, Integral, 1, 10_000_000)
    _check("seed", seed, Integral, 0, 2**63 - 1)
    _check("deadline_s", deadline_s, Real, 1, 600)
    if level not in get_args(Level):
        raise CampaignError(f"level is {level!r}: choose {' or '.join(get_args(Level))}")


def _check(name: str, value: Any, kind: Any, low: int, high: int) -> None:
    if not (isinstance(value, kind) and low <= value <= high):
        number = "a whole number from" if kind is Integral else "a number from"
        raise CampaignError(f"{name} is {value}: choose {number} {low} to {high}")


def run_chunk(chunk: Chunk) -> pd.DataFrame:
    """Try the calls of a chunk, and return their rows; runs in a worker."""
    with _one_at_a_time, simulated_world(), collecting_every(_COLLECT_EVERY) as attempted:
        rows = []
        for number in range(chunk.first, chunk.first + chunk.count):
            call = Call.drawn(chunk.population, chunk.seed, number)
            for configuration in chunk.configurations:
                attempt = simulate(call, configuration, chunk.level, chunk.deadline_s)
                rows.append(attempt_row(call, configuration, chunk.level, attempt))
                attempted()
    return pd.DataFrame(rows, columns=[*ATTEMPT_COLUMNS])


def attempt_row(
    call: Call, configuration: IceConfiguration, level: Level, attempt: Attempt
) -> dict[str, Any]:
    """Return an attempt as a row with the columns of `ATTEMPT_COLUMNS`."""
    return {
        "call": call.number,
        "configuration": configuration.name,
        "caller": call.caller.name,
        "callee": call.callee.name,
        "seed": call.seed,
        "level": level,
        **attempt.to_dict(),
    }


def check_names(configurations: Sequence[IceConfiguration]) -> None:
    """Check that there are configurations, with different names; raise `CampaignError` if not."""
    names = [configuration.name for configuration in configurations]
    if not names or len(set(names)) < len(names):
        raise CampaignError(f"configurations are {names}: give one or more, each with its own name")


def _chunks(whole: Chunk) -> list[Chunk]:
    return [
        replace(whole, first=first, count=min(CHUNK_CALLS, whole.count - first))
        for first in range(0, whole.count, CHUNK_CALLS)
    ]


def _work(executor: Executor, chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, pd.DataFrame]]:
    """Yield finished chunks with their rows, while a few others are under way."""
    under_way: dict[Future[pd.DataFrame], Chunk] = {}
    try:
        for chunk in chunks:
            under_way[executor.submit(run_chunk, chunk)] = chunk
            yield from _done(under_way, None if len(under_way) >= _UNDER_WAY else 0)
        while under_way:
            yield from _done(under_way, None)
    except BrokenExecutor as error:
        raise CampaignError(
            "a worker process died, perhaps because memory ran out: run the same campaign again; "
            "with a folder it continues from the calls saved there"
        ) from error
    finally:
        for future in under_way:
            future.cancel()


def _done(
    under_way: dict[Future[pd.DataFrame], Chunk], timeout_s: float | None
) -> Iterator[tuple[Chunk, pd.DataFrame]]:
    """Take out and yield finished chunks; failed ones come last, so that others are saved first."""
    done = wait(under_way, timeout_s, return_when=FIRST_COMPLETED).done
    for future in sorted(done, key=_failed):
        yield under_way.pop(future), future.result()


def _failed(future: Future[pd.DataFrame]) -> bool:
    return future.cancelled() or future.exception() is not None


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CampaignError(
                f"{folder} cannot be made ({error.strerror}): choose another folder"
            ) from error
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="jamlab-campaign-") as name:
        yield Path(name)
