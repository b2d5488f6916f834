"""Latency across networks on the simulated internet, with the whole audio path, by profile.

::

    player 1 ── access ── backbone ── access ── player 2

Mesh, packets and cards are those of `jamlab.measure.latency.run`; only the network and the time are
simulated, so a run takes as long as its computation, the loop never lags, and the latency is the
path's own. Two access links together have the profile's delay, jitter and loss, or replay a trace.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.record import LatencyRecord
from jamlab.measure.latency.run import ONE_WAY, measure_latency
from jamlab.measure.latency.verdicts import concealed_verdict, latency_verdict
from jamlab.measure.processes import Progress, process_pool
from jamlab.measure.verdict import Verdict
from jamlab.networks.model.packet_trace import PacketTrace
from jamlab.networks.model.profile import (
    NetworkProfile,
    profile_named,
    profile_names,
    profile_replaying,
    replaying_names,
)
from jamlab.networks.model.topology import HostConfig, Topology, host_name
from jamlab.networks.simulated.host import Host
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world

ACROSS_TARGET_MS = 100.0
"""Target of the one-way latency across networks."""


@dataclass(frozen=True)
class AcrossPlan:
    """The profiles to measure, by name, and those of traces; and the plan of each."""

    profiles: tuple[str, ...]
    plan: LatencyPlan
    seed: int = 1
    replaying: tuple[NetworkProfile, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.replaying)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all profiles, in the order of the run."""
        return *self.profiles, *(profile.name for profile in self.replaying)


def across_plan(
    profiles: Sequence[str] = (),
    peers: int = 2,
    duration_s: float = 12.0,
    seed: int = 1,
    traces: Sequence[PacketTrace] = (),
    **options: Any,
) -> AcrossPlan:
    """Return a plan; options go to `LatencyPlan`.

    Without profiles and traces it has all profiles that replay nothing.

    Raises `PlanError` when a parameter is out of its range, and `UnknownProfileError`.

    Examples
    --------
    >>> across_plan(["LAN", "4G"]).profiles
    ('LAN', '4G')
    """
    plan = LatencyPlan(peers=peers, duration_s=duration_s, round_trip_s=0.0, **options)
    wanted = profiles or (() if traces else profile_names())
    names = tuple(profile_named(name).name for name in wanted)
    return AcrossPlan(names, plan, seed, tuple(map(profile_replaying, traces)))


def check_names(replaying: Sequence[NetworkProfile]) -> None:
    """Raise `PlanError` when two traces have the same name."""
    names = [profile.name for profile in replaying]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"there are two of {name}: rename a file, as records have its name")


def measure_across(
    across: AcrossPlan,
    folder: Path,
    executor: Executor | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, LatencyRecord]:
    """Measure every profile, and write a record of each to a folder of its name inside `folder`.

    Returns the records by profile, in the plan's order. The executor is a process pool by default.
    """
    if executor is None:
        with process_pool() as pool:
            return measure_across(across, folder, pool, progress)
    networks: tuple[str | NetworkProfile, ...] = (*across.profiles, *across.replaying)
    runs = [
        executor.submit(measure_on, network, across.plan, across.seed, folder / name)
        for name, network in zip(across.names, networks, strict=True)
    ]
    for done, _ in enumerate(as_completed(runs), start=1):
        progress(done / len(runs), "across networks")
    for run in runs:
        run.result()
    return load_across(folder, across.names)


def measure_on(
    profile: str | NetworkProfile, plan: LatencyPlan, seed: int, folder: Path | None = None
) -> LatencyRecord:
    """Measure a mesh whose participants have a profile's network between them, in virtual time.

    The profile is one that ships, by name, or any other. The same seed gives the same clicks at the
    same times. The record is written to a given folder.
    """
    with simulated_world():
        network = profile_named(profile) if isinstance(profile, str) else profile
        record = run_simulated(_measure(network, plan, seed), seed=seed)
    record.provenance.update(network_provenance(network))
    record.provenance["seed"] = seed
    if folder is not None:
        record.save(folder)
    return record


async def _measure(profile: NetworkProfile, plan: LatencyPlan, seed: int) -> LatencyRecord:
    internet = Internet(topology(profile, plan.names))

    def where(name: str) -> AbstractContextManager[Host]:
        return internet.host(host_name(name))

    return await measure_latency(plan, where=where, rng=np.random.default_rng(seed))


def network_provenance(network: NetworkProfile) -> dict[str, Any]:
    """Return, for a provenance, the name of a network; with that of a given trace its figures."""
    if network.trace is None:
        return {"network": network.name}
    figures = network.stationary
    told = "delay_s", "jitter_s", "loss", "source", "assumed"
    return {
        "network": network.name,
        "replayed": {name: getattr(figures, name) for name in told},
    }


def topology(profile: NetworkProfile, participants: Iterable[str]) -> Topology:
    """Return an internet with a profile's delay, jitter and loss between participants."""
    access = profile.access()
    return Topology(tuple(HostConfig(host_name(name), access) for name in participants))


def load_across(folder: Path, profiles: Iterable[str] | None = None) -> dict[str, LatencyRecord]:
    """Read the records of a run, by profile; raises `RecordError` when one cannot be read."""
    shipped = (name for name in (*profile_names(), *replaying_names()) if (folder / name).is_dir())
    traces = (each.name for each in sorted(folder.glob("trace *")) if each.is_dir())
    names = (*shipped, *traces) if profiles is None else profiles
    return {name: LatencyRecord.load(folder / name) for name in names}


def across_verdicts(records: dict[str, LatencyRecord]) -> list[Verdict]:
    """Return two verdicts per network: on its worst path's one-way latency, and on concealed sound.

    The latency is judged on its 95th percentile.
    """
    latencies = [
        latency_verdict(record, ONE_WAY, ACROSS_TARGET_MS, f"one-way latency over {name}")
        for name, record in records.items()
    ]
    concealed = [
        concealed_verdict(record, f"concealed sound over {name}")
        for name, record in records.items()
    ]
    return latencies + concealed
