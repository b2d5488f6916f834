"""Attempts on this machine's own network, with the engineer's own servers.

First every server is asked by itself (`jamlab.measure.servers.table`), for an ICE agent goes on
without a server that fails it and says nothing. Then two ends on this machine connect, by the code
a session uses, one attempt after another.

Both ends are here, so a direct path is always there, between two sockets of one machine; it says
nothing of NATs. What such attempts do show is whether aiortc gets through the relay, so every
configuration that may relay is tried once more with nothing but the relay.
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
"""What the name of a configuration ends in that is tried with its relay alone."""


@dataclass(frozen=True)
class ThisMachinePlan:
    """Parameters of attempts on this machine's network.

    Parameters
    ----------
    calls : int
        How many attempts under each configuration.
    level : {"ice", "dtls"}
        What has to come about: ICE alone, or a whole peer connection.
    deadline_s : float
        When an attempt is given up, in seconds.
    timeout_s : float
        How long each answer of a server may take, in seconds.

    Raises
    ------
    CampaignError
        Names the parameter and its range.

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
    """Ask the servers, try to connect, and leave the record in a folder.

    Parameters
    ----------
    plan : ThisMachinePlan
        What to do.
    folder : Path
        Where the record goes.
    configurations : sequence of IceConfiguration
        Whose servers to ask, and what to try.
    clock : callable
        Tells Unix time.
    progress : callable
        Told how far it is.

    Raises
    ------
    CampaignError
        When there is no configuration, or two would have one name; when this machine has no
        address to try from.
    """
    if not configurations:
        raise CampaignError(
            f"on the network {THIS_MACHINE} your own servers are asked: name your file of "
            "configurations, ice (data/ice_servers.example.toml is one to copy)"
        )
    check_names(configurations)
    tried = with_relay_alone(configurations)
    if not host_addresses():
        raise CampaignError(str(NO_LOOPBACK))
    progress(0.0, "asking the servers")
    servers = await probe_servers(configurations, now_s=clock(), timeout_s=plan.timeout_s)
    rows = [row async for row in _attempts(plan, tried, progress)]
    attempts = pd.DataFrame(rows, columns=list(ATTEMPT_COLUMNS)).astype(ATTEMPT_COLUMNS)
    record = ConnectivityRecord(attempts, _provenance(plan, tried), servers)
    await asyncio.to_thread(record.save, folder)
    return record


def with_relay_alone(configurations: Sequence[IceConfiguration]) -> list[IceConfiguration]:
    """Return the configurations, each that may relay followed by one that only relays.

    Raises
    ------
    CampaignError
        When the name of one that only relays is another's.
    """
    given = {each.name for each in configurations}
    tried = []
    for each in configurations:
        tried.append(each)
        if each.has_turn and each.policy != "relay":
            name = each.name + RELAY_ALONE
            if name in given:
                raise CampaignError(
                    f"{name!r} is also what {each.name!r} is called when it is tried with its "
                    "relay alone: rename one of them"
                )
            tried.append(replace(each.relayed(), name=name))
    return tried


async def _attempts(
    plan: ThisMachinePlan, tried: Sequence[IceConfiguration], progress: Progress
) -> AsyncIterator[dict[str, Any]]:
    """Yield a row per attempt; one after another, so that none takes another's time or relays."""
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
