"""The plan of a connectivity campaign, and the run from plan to record."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jamlab.ice.configuration import IceConfiguration
from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.attempt import DEADLINE_S
from jamlab.measure.connectivity.campaign import campaign, check_parameters
from jamlab.measure.connectivity.ends import Level
from jamlab.measure.connectivity.population import Population, load_population
from jamlab.measure.connectivity.record import ConnectivityRecord
from jamlab.measure.processes import Progress
from jamlab.measure.provenance import provenance

DEFAULT_POPULATION = "nat_population"


@dataclass(frozen=True)
class ConnectivityPlan:
    """Parameters of a campaign, whose calls have both ends drawn from a population.

    The level is the connection to reach, ICE alone or a whole peer connection; the deadline is in
    virtual seconds. Raises `CampaignError`, which names parameter and range, when one is out of
    range.

    Examples
    --------
    >>> ConnectivityPlan("mobile", calls=100).seed
    1
    """

    population: str = DEFAULT_POPULATION
    calls: int = 2000
    seed: int = 1
    level: Level = "ice"
    deadline_s: float = DEADLINE_S

    def __post_init__(self) -> None:
        check_parameters(self.calls, self.seed, self.level, self.deadline_s)


def measure_connectivity(
    plan: ConnectivityPlan,
    folder: Path,
    configurations: Sequence[IceConfiguration] | None = None,
    *,
    executor: Executor | None = None,
    progress: Progress = lambda *_: None,
) -> ConnectivityRecord:
    """Run a campaign and write its record to a folder, where an interrupted one is continued.

    By default the configurations are the embedded ones, and the executor is a process pool. Raises
    `CampaignError` as `jamlab.measure.connectivity.campaign.campaign` does.
    """
    record = agents_campaign(
        plan, configurations, executor=executor, folder=folder, progress=progress
    )
    record.save(folder)
    return record


def agents_campaign(
    plan: ConnectivityPlan,
    configurations: Sequence[IceConfiguration] | None = None,
    *,
    executor: Executor | None = None,
    folder: Path | None = None,
    progress: Progress = lambda *_: None,
) -> ConnectivityRecord:
    """Run a campaign and return its record, which is not written; as `measure_connectivity`."""
    tried = list(embedded_configurations().values()) if configurations is None else configurations
    population = load_population(plan.population)
    attempts = campaign(
        population,
        tried,
        plan.calls,
        plan.seed,
        executor,
        level=plan.level,
        deadline_s=plan.deadline_s,
        folder=folder,
        progress=progress,
    )
    return ConnectivityRecord(attempts, campaign_provenance(plan, population, tried))


def campaign_provenance(
    plan: ConnectivityPlan,
    population: Population,
    configurations: Sequence[IceConfiguration],
    **observations: Any,
) -> dict[str, Any]:
    """Return the provenance of a campaign that ends now, with further observations."""
    return provenance(
        {},
        population=population.name,
        population_source=population.source,
        configurations=[configuration.name for configuration in configurations],
        with_turn=[each.name for each in configurations if each.has_turn],
        relay_only=[each.name for each in configurations if each.policy == "relay"],
        calls=plan.calls,
        seed=plan.seed,
        level=plan.level,
        deadline_s=plan.deadline_s,
        **observations,
    )
