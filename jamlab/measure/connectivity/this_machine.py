"""Attempts to connect on this machine's own network, with the user's own servers.

First every server is probed separately (`jamlab.measure.servers.table`), because an ICE agent
continues without a failed server and does not report it. Then two ends on this machine connect with
the code of a session, one attempt after another.

Both ends are on one machine, so they always have a direct path, and it says nothing about NATs. But
such attempts show whether aiortc connects through the relay, so every configuration that may relay
is tried once more with the relay alone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.connectivity.attempt import DEADLINE_S, attempt
from jamlab.measure.connectivity.campaign import CampaignError, check_names, check_parameters
from jamlab.measure.connectivity.ends import Level
from jamlab.measure.connectivity.record import ATTEMPT_COLUMNS, THIS_MACHINE, ConnectivityRecord
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance
from jamlab.measure.reaches_itself import NO_LOOPBACK
from jamlab.measure.servers.probe import TIMEOUT_S
from jamlab.measure.servers.table import probe_servers
from jamlab.media.host_candidates import host_addresses

HERE = "this machine"
"""The place of both ends."""

RELAY_ALONE = ", relayed"
"""Ending of the name of a configuration that is tried with its relay alone."""


@dataclass(frozen=True)
class ThisMachinePlan:
    """Parameters of attempts on this machine's network.

    The number of calls is that under each configuration; the timeout is the limit for each answer
    of a server. Raises `CampaignError`, which names parameter and range, when one is out of range.

    Examples
    --------
    >>> ThisMachinePlan(calls=5).level
    'ice'
    """

    calls: int = 3
    level: Level = "ice"
    deadline_s: float = DEADLINE_S
    timeout_s: float = TIMEOUT_S

    def __post_init__(self) -> None:
        check_parameters(self.calls, 0, self.level, self.deadline_s)
        if not 0 < self.timeout_s <= 60:
            raise CampaignError(f"timeout_s is {self.timeout_s}: choose a number up to 60")


async def measure_this_machine(
    plan: ThisMachinePlan,
    folder: Path,
    configurations: Sequence[IceConfiguration],
    *,
    clock: Callable[[], float] = time.time,
    progress: Progress = lambda *_: None,
) -> ConnectivityRecord:
    """Probe the servers, try to connect under each configuration, and write the record to a folder.

    The clock returns Unix time. Raises `CampaignError` when there is no configuration, when two
    would have the same name, or when this machine has no address to try from.
    """
    if not configurations:
        raise CampaignError(
            f"the network {THIS_MACHINE} needs your own servers: give your file of ICE "
            "configurations as ice (copy data/ice_servers.example.toml to begin with)"
        )
    check_names(configurations)
    tried = with_relay_alone(configurations)
    if not host_addresses():
        raise CampaignError(str(NO_LOOPBACK))
    progress(0.0, "probing the servers")
    servers = await probe_servers(configurations, now_s=clock(), timeout_s=plan.timeout_s)
    rows = [row async for row in _attempts(plan, tried, progress)]
    attempts = pd.DataFrame(rows, columns=list(ATTEMPT_COLUMNS)).astype(ATTEMPT_COLUMNS)
    record = ConnectivityRecord(attempts, _provenance(plan, tried), servers)
    await asyncio.to_thread(record.save, folder)
    return record


def with_relay_alone(configurations: Sequence[IceConfiguration]) -> list[IceConfiguration]:
    """Return the configurations, each that may relay followed by one that only relays.

    Raises `CampaignError` when the name of a relay-only configuration is already taken.
    """
    given = {each.name for each in configurations}
    tried = []
    for each in configurations:
        tried.append(each)
        if each.has_turn and each.policy != "relay":
            name = each.name + RELAY_ALONE
            if name in given:
                raise CampaignError(
                    f"{name!r} is also the name under which {each.name!r} is tried with its relay "
                    "alone: rename one of them"
                )
            tried.append(replace(each.relayed(), name=name))
    return tried


async def _attempts(
    plan: ThisMachinePlan, tried: Sequence[IceConfiguration], progress: Progress
) -> AsyncIterator[dict[str, Any]]:
    """Make the attempts one after another, so that they share no quota; yield a row for each."""
    whole = plan.calls * len(tried)
    for call in range(plan.calls):
        for number, configuration in enumerate(tried):
            progress((call * len(tried) + number) / whole, "calling")
            made = await attempt(
                configuration, level=plan.level, signalling_s=0.0, deadline_s=plan.deadline_s
            )
            yield {
                "call": call,
                "configuration": configuration.name,
                "caller": HERE,
                "callee": HERE,
                "seed": 0,
                "level": plan.level,
                **made.to_dict(),
            }


def _provenance(plan: ThisMachinePlan, tried: Sequence[IceConfiguration]) -> dict[str, Any]:
    return provenance(
        {},
        network=THIS_MACHINE,
        population=None,
        configurations=[each.name for each in tried],
        with_turn=[each.name for each in tried if each.has_turn],
        relay_only=[each.name for each in tried if each.policy == "relay"],
        calls=plan.calls,
        level=plan.level,
        deadline_s=plan.deadline_s,
    )
