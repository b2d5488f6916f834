"""The plan of a campaign of sessions, and the run from plan to record.

Beside it, bare ICE agents make the same calls under the configurations of
`jamlab.ice.file.embedded_configurations`: what a server buys is seen where only the servers differ.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.measure.connectivity.attempt import DEADLINE_S
from jamlab.measure.connectivity.call import DEMO_PASSWORD, DEMO_USER, SERVER_PORT, Call
from jamlab.measure.connectivity.campaign import Chunk, check_parameters, run_campaign
from jamlab.measure.connectivity.plan import (
    DEFAULT_POPULATION,
    ConnectivityPlan,
    agents_campaign,
)
from jamlab.measure.connectivity.population import load_population
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.processes import Progress, process_pool
from jamlab.measure.provenance import provenance
from jamlab.measure.session_connectivity.meeting import simulate_meeting, with_simulated_servers
from jamlab.measure.session_connectivity.record import (
    SESSION_COLUMNS,
    SESSIONS_FOLDER,
    SessionRecord,
)
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.profile import profile_named
from jamlab.networks.model.topology import DOMAIN

ALL_SERVERS = IceConfiguration(
    "STUN+TURN",
    (
        IceServer(f"stun:stun.{DOMAIN}:{SERVER_PORT}"),
        *(
            IceServer(f"turn:turn.{DOMAIN}:{SERVER_PORT}?transport={transport}", *login)
            for login in [(DEMO_USER, DEMO_PASSWORD)]
            for transport in ("udp", "tcp")
        ),
    ),
)
"""The servers that a session has by default: STUN, and TURN over UDP and over TCP."""

_AGENTS_SHARE = 0.2  # of the time that both campaigns take


@dataclass(frozen=True)
class SessionPlan:
    """Parameters of a campaign of sessions.

    Both ends of a call are drawn from the population, and have a link of the profile to the
    backbone. The deadline is in virtual seconds. Raises `CampaignError` or `UnknownProfileError`
    when a parameter is out of range.

    Examples
    --------
    >>> SessionPlan("mobile", calls=100).profile
    'same country'
    """

    population: str = DEFAULT_POPULATION
    calls: int = 500
    seed: int = 1
    profile: str = "same country"
    deadline_s: float = DEADLINE_S

    def __post_init__(self) -> None:
        check_parameters(self.calls, self.seed, "ice", self.deadline_s)
        profile_named(self.profile)


@dataclass(frozen=True)
class SessionTrial:
    """A meeting of two sessions for each call, with the same access link at both ends."""

    access: LinkConfig
    deadline_s: float

    @property
    def columns(self) -> Mapping[str, str]:
        """`SESSION_COLUMNS`."""
        return SESSION_COLUMNS

    def parameters(self, configurations: Sequence[IceConfiguration]) -> dict[str, Any]:
        """Return the link, the deadline and the simulated servers."""
        return {
            "configurations": [repr(with_simulated_servers(each)) for each in configurations],
            "level": "session",
            "access": repr(self.access),
            "deadline_s": self.deadline_s,
        }

    def row(self, call: Call, configuration: IceConfiguration) -> dict[str, Any]:
        """Let the sessions of a call meet."""
        met = simulate_meeting(call, configuration, self.access, self.deadline_s)
        return {
            "call": call.number,
            "configuration": configuration.name,
            "caller": call.caller.name,
            "callee": call.callee.name,
            "seed": call.seed,
            **asdict(met),
        }


def sessions_campaign(
    plan: SessionPlan,
    configurations: Sequence[IceConfiguration] | None = None,
    *,
    executor: Executor | None = None,
    folder: Path | None = None,
    progress: Progress = lambda *_: None,
) -> SessionRecord:
    """Run a campaign of sessions, by default with `ALL_SERVERS`, and return its record.

    With a folder, finished chunks are kept in it, and an interrupted campaign is continued. Raises
    `CampaignError` as `jamlab.measure.connectivity.campaign.campaign` does.
    """
    tried = (ALL_SERVERS,) if configurations is None else tuple(configurations)
    population, access = load_population(plan.population), profile_named(plan.profile).access()
    trial = SessionTrial(access, float(plan.deadline_s))
    whole = Chunk(population, tried, trial, int(plan.seed), 0, int(plan.calls))
    sessions = run_campaign(whole, executor, folder, progress)
    about = provenance(
        {},
        **asdict(plan) | {"population": population.name},  # as the agents' record has it
        population_source=population.source,
        configurations=[configuration.name for configuration in tried],
        with_stun=[each.name for each in tried if not all(s.is_turn for s in each.servers)],
        relay_only=[each.name for each in tried if each.policy == "relay"],
    )
    return SessionRecord(sessions, about)


def measure_sessions(
    plan: SessionPlan,
    folder: Path,
    configurations: Sequence[IceConfiguration] | None = None,
    *,
    agents: ConnectivityPlan | None = None,
    executor: Executor | None = None,
    progress: Progress = lambda *_: None,
) -> ConnectivityRecord:
    """Run a campaign of sessions and one of bare ICE agents, and write both records to a folder.

    The agents' record is returned, and the sessions' is in its folder (`sessions_of`). By default
    the agents make the same calls. Given configurations hold for both; by default the sessions have
    `ALL_SERVERS`, and the agents the embedded configurations. An interrupted campaign is continued.
    Raises `CampaignError` as `sessions_campaign` does.
    """
    agents = agents or ConnectivityPlan(plan.population, plan.calls, plan.seed)
    with ExitStack() as stack:
        workers = stack.enter_context(process_pool()) if executor is None else executor
        record = agents_campaign(
            agents,
            configurations,
            executor=workers,
            folder=folder,
            progress=lambda done, doing: progress(_AGENTS_SHARE * done, doing),
        )
        sessions = sessions_campaign(
            plan,
            configurations,
            executor=workers,
            folder=folder / SESSIONS_FOLDER,
            progress=lambda done, _: progress(
                _AGENTS_SHARE + (1 - _AGENTS_SHARE) * done, "sessions meet"
            ),
        )
    record.save(folder, {SESSIONS_FOLDER: sessions})
    return record


def sessions_of(folder: Path) -> SessionRecord | None:
    """Return the sessions' record in the folder of a connectivity record; None without one.

    Raises `RecordError` when it cannot be read.
    """
    inside = folder / SESSIONS_FOLDER
    return SessionRecord.load(inside) if SessionRecord.lies_in(inside) else None
