"""Populations: the places that participants call from, and the share of each.

A population is a file in ``data/`` with a row per place: the boxes around it, a share in percent,
and the source; ``data/populations.csv`` states how each was derived. Shares are as uncertain as a
count of some number of endpoints; that uncertainty is drawn from a Dirichlet distribution (Rubin,
"The Bayesian bootstrap", Annals of Statistics 9, 1981). None of our sources states its number, so
``populations.csv`` assumes a small one.

A place is named after its behaviour, so the same place has the same name in every population, and
results for it in one hold in the others.
"""

import csv
import io
import math
from bisect import bisect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from jamlab.networks.model.nat_behaviour import (
    PORT_RESTRICTED,
    Filtering,
    FirewallType,
    PortAllocation,
    nat_named,
)
from jamlab.networks.model.place import Place
from jamlab.resources import data_path

ROUNDING_PERCENT = 0.5
"""Largest deviation of the shares' sum from 100: studies round, and we normalise."""

POPULATIONS_FILE = "populations.csv"

_OPEN, _BLOCKED, _CGN = "open", "UDP blocked", "CGN "


class PopulationError(ValueError):
    """Raised for a population that cannot be used; names file and row, and what to do."""


@dataclass(frozen=True)
class Population:
    """Places, and the share of each."""

    name: str
    places: tuple[Place, ...]
    shares: tuple[float, ...]
    """Share of each place, summing to 1."""
    sample_size: int
    """Number of independently observed endpoints that the shares are worth."""
    source: str
    """Source of the shares, and how they were derived from it."""

    @property
    def weights(self) -> NDArray[np.float64]:
        """Share of each place, shape (k,), summing to 1."""
        return np.array(self.shares)

    def draw(self, rng: np.random.Generator) -> Place:
        """Draw a place."""
        return self.place_at(rng.random())

    def place_at(self, quantile: float) -> Place:
        """Return the place at which the cumulative share exceeds a number in [0, 1)."""
        return self.places[min(bisect(self._added_up, quantile), len(self.places) - 1)]

    @cached_property
    def _added_up(self) -> list[float]:
        return list(accumulate(self.shares))

    def resampled_weights(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Return n draws of the weights, shape (n, k), which vary as their source is uncertain."""
        return rng.dirichlet(self.sample_size * self.weights, size=n)


def load_population(name: str) -> Population:
    """Return a population that ships with jamlab; raises `PopulationError` for another name.

    Examples
    --------
    >>> population = load_population("mobile")
    >>> len(population.places) == len(population.shares)
    True
    >>> round(sum(population.shares), 9)
    1.0
    """
    about = _about()
    if name not in about:
        raise PopulationError(f"there is no population {name!r}: choose {', '.join(about)}")
    text = data_path(f"{name}.csv").read_text(encoding="utf-8")
    row = about[name]
    return parse_population(text, name, _endpoints(row["endpoints"], name), row["derivation"])


def _endpoints(written: str, name: str) -> int:
    """Return the number of endpoints in `POPULATIONS_FILE`; every verdict's interval needs it."""
    if not written.isdecimal():
        raise PopulationError(
            f"{POPULATIONS_FILE} has {written!r} endpoints for {name}: give the number that its "
            "shares are worth, from which their uncertainty follows"
        )
    return int(written)


def population_names() -> tuple[str, ...]:
    """Return the names of the populations that ship with jamlab."""
    return tuple(_about())


@cache
def _about() -> dict[str, dict[str, str]]:
    text = data_path(POPULATIONS_FILE).read_text(encoding="utf-8")
    return {row["population"]: row for row in csv.DictReader(io.StringIO(text))}


def parse_population(text: str, name: str, sample_size: int, source: str) -> Population:
    """Read a population from CSV with the columns ``place``, ``percent`` and ``source``.

    The columns ``mapping``, ``filtering`` and ``port_allocation`` may replace ``place``. The sample
    size is the number of independently observed endpoints that the shares are worth, 1 or more.
    Raises `PopulationError`, which names row and column, when the CSV cannot be used.
    """
    if sample_size < 1:
        raise PopulationError(f"{name} has sample_size {sample_size}: give 1 or more")
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise PopulationError(f"{name} is not a CSV file: {error}") from None
    if not rows:
        raise PopulationError(f"{name} is empty: give it a row per place")
    places = [_place(row, f"{name}, row {number}") for number, row in enumerate(rows, start=2)]
    percents = [_percent(row, f"{name}, row {number}") for number, row in enumerate(rows, start=2)]
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        raise PopulationError(f"{name} has a place twice: add the shares up")
    total = math.fsum(percents)
    if abs(total - 100) > ROUNDING_PERCENT:
        raise PopulationError(f"{name} sums to {total:g} %: make the shares add up to 100 %")
    shares = tuple(percent / total for percent in percents)
    return Population(name, tuple(places), shares, sample_size, source)


def place_named(name: str) -> Place:
    """Return a place from its name; raises ValueError for a name of another form.

    A name is ``"open"``, ``"UDP blocked"``, a NAT's for `nat_named`, or a carrier's and a home
    router's NAT as in ``"CGN APDM/APDF + EIM/APDF"``. The place's own name does not depend on the
    spelling: a NAT has its `NatType.name`; names of places with two NATs leave out port
    preservation.
    """
    if name == _OPEN:
        return Place(name)
    if name == _BLOCKED:
        return Place(name, ((PORT_RESTRICTED, FirewallType(Filtering.APDF, udp_blocked=True)),))
    if not name.startswith(_CGN):
        nat = nat_named(name)
        return Place(nat.name, ((nat,),))
    carrier, plus, home = name.removeprefix(_CGN).partition(" + ")
    if not plus:
        raise ValueError(f'{name!r} names one NAT: write "{_CGN}APDM/APDF + EIM/APDF"')
    nats = nat_named(home), nat_named(carrier)
    inner, outer = (nat.name.removesuffix(f"/{PortAllocation.PRESERVE}") for nat in nats)
    return Place(f"{_CGN}{outer} + {inner}", tuple((nat,) for nat in nats))


def _place(row: Mapping[str, str | None], where: str) -> Place:
    columns = ("place",) if row.get("place") else ("mapping", "filtering", "port_allocation")
    words = [row.get(column) or "" for column in columns]
    if not all(words):
        raise PopulationError(f"{where} has no place: name one")
    try:
        return place_named("/".join(words))
    except ValueError as error:
        raise PopulationError(f"{where}: {error}") from None


def _percent(row: Mapping[str, str | None], where: str) -> float:
    try:
        percent = float(row.get("percent") or "")
    except ValueError:
        percent = -1.0
    if not 0 < percent <= 100:
        raise PopulationError(
            f"{where}: percent is {row.get('percent')!r}: give more than 0, up to 100"
        )
    return percent
