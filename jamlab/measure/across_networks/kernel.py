"""Latency across networks on real sockets, between participants in Linux network namespaces.

::

    backbone ─┬─ public: the hub, STUN and TURN
              ├─ access ── home router (NAT) ── player 1, a process
              └─ access ── home router (NAT) ── player 2, a process   and so on

Two access links together have the profile's delay, jitter and loss, as on the simulated internet,
but time is real, the sockets are the kernel's and the routers are netfilter. *Direct* cases have
home routers with EIM/APDF, which let a direct path through; *relayed* cases have symmetric ones, so
that TURN is needed. The first case has plain cables: it measures the latency of the machine and the
namespaces themselves, and proves the NATs (`jamlab.networks.kernel.proof`).
"""

import asyncio
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jamlab.ice.configuration import IceConfiguration
from jamlab.measure.across_networks.carrier_delay import measure_added
from jamlab.measure.across_networks.kernel_player import PlayerTask
from jamlab.measure.across_networks.kernel_record import (
    RECORDS,
    KernelRecord,
    case_name,
    load_kernel,
)
from jamlab.measure.across_networks.kernel_servers import serving
from jamlab.measure.across_networks.simulated import check_names, network_provenance
from jamlab.measure.latency.plan import LatencyPlan, PlanError
from jamlab.measure.latency.routes import DIRECT, RELAYED
from jamlab.measure.live_mesh.messages import MAX_CLICKING_S, MAX_CLICKS
from jamlab.measure.live_mesh.pairs import absent
from jamlab.measure.live_mesh.record import MeshRecord
from jamlab.measure.processes import MeasurementError, Progress
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.lab import KernelLab
from jamlab.networks.kernel.proof import prove
from jamlab.networks.kernel.tun import why_no_netem
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.nat_behaviour import PORT_RESTRICTED, SYMMETRIC
from jamlab.networks.model.packet_trace import PacketTrace
from jamlab.networks.model.place import Place
from jamlab.networks.model.profile import (
    NetworkProfile,
    profile_named,
    profile_names,
    profile_replaying,
)
from jamlab.networks.model.topology import PERFECT, HostConfig, Topology, host_name
from jamlab.process.child import child_process
from jamlab.process.temporary_folder import temporary_folder

PUBLIC = "public"
"""Name of the host that the servers run on."""
PLAYER = "jamlab.measure.across_networks.kernel_player"
"""Module of the participants' processes."""

_HOMES = {
    DIRECT: Place("home", ((PORT_RESTRICTED,),)),
    RELAYED: Place("carrier", ((SYMMETRIC,),)),
}


@dataclass(frozen=True)
class Case:
    """A network between participants, and the route their packets have to take."""

    profile: str | None
    """Name of the network profile; None for plain cables."""
    route: str
    """`DIRECT` or `RELAYED`."""
    replaying: NetworkProfile | None = None
    """The profile itself, when it does not ship with jamlab but replays a given trace."""

    @property
    def network(self) -> NetworkProfile | None:
        """The network profile."""
        if self.replaying is not None or self.profile is None:
            return self.replaying
        return profile_named(self.profile)

    @property
    def access(self) -> LinkConfig:
        """Each participant's link to the backbone."""
        network = self.network
        return PERFECT if network is None else network.access()

    @property
    def name(self) -> str:
        """Name of the case for the reader."""
        return case_name(self.profile, self.route)

    def topology(self, players: Sequence[str]) -> Topology:
        """Return the internet of the case."""
        home, access = _HOMES[self.route], self.access
        homes = (home.member(host_name(player), access) for player in players)
        return Topology((HostConfig(PUBLIC, addresses=2), *homes))


@dataclass(frozen=True)
class KernelPlan:
    """The cases to measure, and the plan of each; its round trips and sessions are not used.

    Raises `PlanError` when it lasts longer than the clicks can be told apart.
    """

    cases: tuple[Case, ...]
    plan: LatencyPlan

    def __post_init__(self) -> None:
        longest_s = min(MAX_CLICKING_S, MAX_CLICKS * 60 / self.plan.bpm)
        if self.plan.duration_s > longest_s:
            raise PlanError(
                f"duration_s is {self.plan.duration_s:g}: choose up to {longest_s:g}, the time "
                "for which clicks can be told apart"
            )


def kernel_plan(
    profiles: Sequence[str] = (),
    peers: int = 2,
    duration_s: float = 12.0,
    traces: Sequence[PacketTrace] = (),
) -> KernelPlan:
    """Return a plan; without profiles and traces it has all profiles that replay nothing.

    Raises `PlanError` when a parameter is out of its range, and `UnknownProfileError`.

    Examples
    --------
    >>> kernel_plan(["LAN"], peers=3).plan.peers
    3
    """
    plan = LatencyPlan(peers=peers, duration_s=duration_s)
    return KernelPlan(kernel_cases(profiles, traces), plan)


def kernel_cases(
    profiles: Sequence[str] = (), traces: Sequence[PacketTrace] = ()
) -> tuple[Case, ...]:
    """Return plain cables, then each profile and trace, direct and relayed.

    Without any, all profiles are taken that replay nothing. Raises `UnknownProfileError` when there
    is no such profile, and `PlanError` when two traces have the same name.
    """
    names = profiles or (() if traces else profile_names())
    replaying = [profile_replaying(trace) for trace in traces]
    check_names(replaying)
    networks = [
        (None, None),
        *((profile_named(name).name, None) for name in names),
        *((profile.name, profile) for profile in replaying),
    ]
    return tuple(Case(name, route, each) for name, each in networks for route in (DIRECT, RELAYED))


async def measure_kernel(
    kernel: KernelPlan, folder: Path, progress: Progress = lambda *_: None
) -> dict[str, KernelRecord]:
    """Measure case by case, and write a record of each to a folder inside `folder`.

    Returns the records by case, in the plan's order. Raises `KernelLabError` when this machine
    cannot have a network lab; `ProofError` when a NAT does not behave as it should;
    `MeasurementError` when a participant did not take part; and `ChildError`, with the last line
    that it wrote, when a process fails.
    """
    progress(0.0, "measuring what links add")
    before = links_before()
    records = []
    for number, case in enumerate(kernel.cases):
        progress(number / len(kernel.cases), case.name)
        record = await measure_case(case, kernel.plan)
        record.mesh.provenance.update(number=number, **before)
        records.append(record)
    _forget(folder)
    for number, record in enumerate(records):
        record.save(folder / f"{number:02d}")
    return load_kernel(folder)


def _forget(folder: Path) -> None:
    """Remove the records of an earlier run, and nothing else."""
    for table in folder.glob(RECORDS):
        shutil.rmtree(table.parent)


async def measure_case(case: Case, plan: LatencyPlan) -> KernelRecord:
    """Measure one case; errors as in `measure_kernel`."""
    with temporary_folder("mesh") as folder:
        with KernelLab(case.topology(plan.names), name="latency") as lab:
            if case.profile is None:
                await asyncio.to_thread(prove_homes, lab)
            routes = await _play(plan, lab, folder)
        mesh = MeshRecord.load(folder)
    for name, answer in absent(mesh):
        raise MeasurementError(f"{name} did not take part in {case.name}: its answer is {answer}")
    mesh.provenance["parameters"] |= plan.to_dict() | {"sessions": 1}
    mesh.provenance.update(routes=routes, **case_provenance(case, lab))
    return KernelRecord.of(mesh)


def links_before() -> dict[str, Any]:
    """Return, for a provenance, what links add on this machine, measured now.

    Raises `KernelLabError`.
    """
    return {"added": measure_added().to_dict(), "no_netem": why_no_netem()}


def case_provenance(case: Case, lab: KernelLab) -> dict[str, Any]:
    """Return the provenance of a case whose lab has ended."""
    network = case.network
    return {
        **({"network": None} if network is None else network_provenance(network)),
        "delay_s": 0.0 if network is None else network.stationary.delay_s,
        "route": case.route,
        "links": {name: link.report and link.report.to_dict() for name, link in lab.links.items()},
    }


def prove_homes(lab: KernelLab) -> None:
    """Check the home NATs with two discovery clients, which needs links without loss.

    Raises `ProofError`.
    """
    homes = [host.name for host in lab.hosts if host.name != PUBLIC]
    with Coturn(lab.host(PUBLIC)) as server:
        prove(lab, server, homes)


async def _play(plan: LatencyPlan, lab: KernelLab, folder: Path) -> dict[str, dict[str, str]]:
    """Run all participants while the first measures; return the routes that each reports."""
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(serving(lab.host(PUBLIC)))
        tasks = _tasks(plan, servers.hub, servers.key, servers.ice)
        players = [
            await stack.enter_async_context(
                child_process(
                    task.name, PLAYER, task.to_data(), lab.host(host_name(task.name)).command
                )
            )
            for task in tasks
        ]
        for player in players:
            await player.receive()  # the player is connected
        players[0].send({"folder": str(folder)})
        await players[0].receive()  # the measurement is complete
        return {player.name: (await player.finish())["routes"] for player in players}


def _tasks(plan: LatencyPlan, hub: str, key: str, ice: IceConfiguration) -> list[PlayerTask]:
    return [
        PlayerTask(name, tuple(other for other in plan.names if other != name), hub, key, ice, plan)
        for name in plan.names
    ]
