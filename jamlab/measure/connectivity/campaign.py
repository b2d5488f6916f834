"""Campaigns: thousands of simulated calls, each tried under several ICE configurations.

Calls are independent, so they are cut into chunks for any `concurrent.futures.Executor`, in any
order; the table is sorted at the end. With a folder, every finished chunk is written to it, and an
interrupted campaign continues from there. The number of chunks under way is limited, so memory does
not grow with the number of calls.

Sockets and clock of aioice and aiortc are replaced for the whole process, so a process runs one
chunk at a time: threads, such as a Dask worker's, are safe, but only processes share the work.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
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
from typing import Any, Protocol, get_args

import pandas as pd

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.attempt import DEADLINE_S, Attempt
from jamlab.measure.connectivity.call import Call, simulate, stand_in
from jamlab.measure.connectivity.ends import Level
from jamlab.measure.connectivity.population import Population
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS
from jamlab.measure.parts import CampaignError as CampaignError
from jamlab.measure.parts import Parts
from jamlab.measure.processes import Progress, process_pool
from jamlab.measure.provenance import versions
from jamlab.networks.simulated.world import simulated_world
from jamlab.process.pauses import collecting_every
from jamlab.process.temporary_folder import temporary_folder


class Trial(Protocol):
    """A way to try a call; a worker gets a copy of it."""

    @property
    def columns(self) -> Mapping[str, str]:
        """Columns of a row and their types."""

    def parameters(self, configurations: Sequence[IceConfiguration]) -> dict[str, Any]:
        """Return what the rows depend on besides the calls, in JSON's types, no credentials."""

    def row(self, call: Call, configuration: IceConfiguration) -> dict[str, Any]:
        """Try a call under a configuration, and return the result as a row."""


@dataclass(frozen=True)
class AgentTrial:
    """Attempts by ICE agents or whole peer connections; the deadline is in virtual seconds."""

    level: Level = "ice"
    deadline_s: float = DEADLINE_S

    @property
    def columns(self) -> Mapping[str, str]:
        """`ATTEMPT_COLUMNS`."""
        return ATTEMPT_COLUMNS

    def parameters(self, configurations: Sequence[IceConfiguration]) -> dict[str, Any]:
        """Return level, deadline and the simulated servers."""
        return {
            "configurations": [repr(stand_in(each)) for each in configurations],
            "level": self.level,
            "deadline_s": self.deadline_s,
        }

    def row(self, call: Call, configuration: IceConfiguration) -> dict[str, Any]:
        """Attempt a call once."""
        made = simulate(call, configuration, self.level, self.deadline_s)
        return attempt_row(call, configuration, self.level, made)


@dataclass(frozen=True)
class Chunk:
    """A worker's task: some calls of a campaign under all its configurations."""

    population: Population
    configurations: tuple[IceConfiguration, ...]
    trial: Trial
    seed: int
    first: int
    count: int


def _description(whole: Chunk) -> str:
    """Return a campaign's parameters as JSON, without credentials and names that vary."""
    return json.dumps(
        {
            "population": repr(whole.population),
            "seed": whole.seed,
            "calls": whole.count,
            **whole.trial.parameters(whole.configurations),
            "versions": versions(),
        },
        indent=2,
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
    trial = AgentTrial(level, float(deadline_s))
    whole = Chunk(population, tuple(configurations), trial, int(seed), 0, int(calls))
    return run_campaign(whole, executor, folder, progress)


def run_campaign(
    whole: Chunk,
    executor: Executor | None = None,
    folder: Path | None = None,
    progress: Progress = lambda *_: None,
) -> pd.DataFrame:
    """Try all calls of a campaign, chunk by chunk; parameters and errors as in `campaign`."""
    check_names(whole.configurations)
    with ExitStack() as stack:
        parts = Parts(stack.enter_context(_folder(folder)), _description(whole))
        workers = stack.enter_context(process_pool()) if executor is None else executor
        missing = [chunk for chunk in _chunks(whole) if not parts.has(chunk.first)]
        left = sum(chunk.count for chunk in missing)
        progress(1 - left / whole.count, "calling")
        for chunk, rows in _work(workers, missing):
            parts.write(chunk.first, rows)
            left -= chunk.count
            progress(1 - left / whole.count, "calling")
        return parts.read_all(chunk.first for chunk in _chunks(whole))


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
                rows.append(chunk.trial.row(call, configuration))
                attempted()
    return pd.DataFrame(rows, columns=[*chunk.trial.columns])


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
    with temporary_folder("campaign") as made:
        yield made
