"""Concurrent attempts on this machine's kernel, with coturn's log of those that failed.

Attempts mostly wait, for answers that do not come or for their deadline, so a hundred of them take
as long as one. Only their processes are started a few at a time, since too many at once on a
processor would miss the five seconds in which servers must answer.
"""

import asyncio
import re
from asyncio import Semaphore
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.attempt import FAILED, Attempt
from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.campaign import CampaignError, attempt_row
from jamlab.measure.connectivity.ends import Level
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS
from jamlab.measure.connectivity_on_kernel.network import MOST_ENDS, KernelNetwork
from jamlab.measure.processes import Progress
from jamlab.networks.kernel.coturn import CoturnError
from jamlab.networks.kernel.lab import KernelLabError
from jamlab.networks.kernel.proof import ProofError
from jamlab.process.child import ChildError

AT_ONCE = 120
"""Largest number of attempts under way; each has two processes of some 8 MB."""
STARTING = 4
"""Largest number of attempts whose processes are being started."""

SERVER_LOG_COLUMNS = {
    "call": "int64",
    "configuration": "object",
    "log": "object",  # coturn's lines about both ends' sessions
}
"""Columns of the table of coturn's log; it has a row per failed attempt that reached coturn."""


@dataclass(frozen=True)
class Task:
    """An attempt to make."""

    call: Call
    configuration: IceConfiguration
    level: Level
    deadline_s: float


@dataclass(frozen=True)
class Tried:
    """An attempt that was made, with its result."""

    task: Task
    attempt: Attempt
    server_log: str
    """coturn's lines about it, if it failed."""


def try_on_kernel(tasks: Sequence[Task], progress: Progress = lambda *_: None) -> list[Tried]:
    """Make attempts on a network of namespaces built for them, after a proof of its NATs.

    The results are in the order of the tasks, whose places the kernel has to be able to build.
    Raises `CampaignError` when this machine cannot have such a network, a NAT does not behave as it
    should, a process ended, or a place has more ends than ports.
    """
    _check_ports(tasks)
    places = [place for task in tasks for place in (task.call.caller, task.call.callee)]
    try:
        with KernelNetwork(places) as network:
            progress(0.0, "proving the NATs")
            network.prove()
            return asyncio.run(_Campaign(network, progress).run(tasks))
    except (ChildError, CoturnError, KernelLabError, ProofError) as error:
        raise CampaignError(f"calls on this machine's kernel: {error}") from error


def _check_ports(tasks: Iterable[Task]) -> None:
    """Check that every end can have unused ports; raise `CampaignError` if not."""
    calls = [task.call for task in tasks]
    for places in (call.caller for call in calls), (call.callee for call in calls):
        for place, count in Counter(places).most_common(1):
            if count > MOST_ENDS:
                raise CampaignError(
                    f"{count} attempts have an end at {place.name}, which has unused ports for "
                    f"only {MOST_ENDS}: make fewer calls at once"
                )


def attempts_of(tried: Iterable[Tried]) -> pd.DataFrame:
    """Return a row per attempt, columns as `ATTEMPT_COLUMNS`."""
    rows = [
        attempt_row(each.task.call, each.task.configuration, each.task.level, each.attempt)
        for each in tried
    ]
    return pd.DataFrame(rows, columns=[*ATTEMPT_COLUMNS])


def server_logs_of(tried: Iterable[Tried]) -> pd.DataFrame:
    """Return a row per failed attempt that reached coturn, columns as `SERVER_LOG_COLUMNS`."""
    rows = [
        (each.task.call.number, each.task.configuration.name, each.server_log)
        for each in tried
        if each.server_log
    ]
    return pd.DataFrame(rows, columns=[*SERVER_LOG_COLUMNS]).astype(SERVER_LOG_COLUMNS)


class _Campaign:
    def __init__(self, network: KernelNetwork, progress: Progress) -> None:
        self._network = network
        self._progress = progress
        self._done = 0

    async def run(self, tasks: Sequence[Task]) -> list[Tried]:
        users = [f"attempt-{number}" for number in range(len(tasks))]
        try:
            attempts = await self._try_all(tasks, users)
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from failed
        log = self._network.coturn.log
        return [
            Tried(task, attempt, log_of(log, user) if attempt.result == FAILED else "")
            for task, attempt, user in zip(tasks, attempts, users, strict=True)
        ]

    async def _try_all(self, tasks: Sequence[Task], users: Sequence[str]) -> list[Attempt]:
        at_once, starting = Semaphore(AT_ONCE), Semaphore(STARTING)

        async def tried(task: Task, user: str) -> Attempt:
            async with at_once:
                attempt = await self._network.try_call(
                    task.call,
                    task.configuration,
                    task.level,
                    task.deadline_s,
                    user=user,
                    starting=starting,
                )
            self._done += 1
            self._progress(self._done / len(tasks), "calling on the kernel")
            return attempt

        async with asyncio.TaskGroup() as group:
            trying = zip(tasks, users, strict=True)
            running = [group.create_task(tried(task, user)) for task, user in trying]
        return [each.result() for each in running]


def log_of(log: str, user: str) -> str:
    """Return the lines of coturn's log (``verbose`` and ``simple-log``) about a user's sessions.

    `user` is the part of the user's name after the expiry.
    """
    lines = log.splitlines()
    own = re.compile(rf"<(\d+:)?{re.escape(user)}>")
    sessions = {_session(line) for line in lines if own.search(line)} - {""}
    return "\n".join(line for line in lines if _session(line) in sessions)


def _session(line: str) -> str:
    found = re.search(r"\bsession (\d+):", line)
    return found[1] if found else ""
