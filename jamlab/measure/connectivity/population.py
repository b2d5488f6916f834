"""Populations: the places that participants call from, and the share of each.

A population is a file in ``data/`` with a row per place: the boxes around it, a share in percent,
and the source; ``data/populations.csv`` states how each was derived. Shares are as uncertain as a
count of some number of endpoints; that uncertainty is drawn from a Dirichlet distribution (Rubin,
"The Bayesian bootstrap", Annals of Statistics 9, 1981). None of our sources states its number, so
``populations.csv`` assumes a small one.

A place is named after its behaviour, so the same place has the same name in every population, and
results for it in one hold in the others.

*Features.* Studies of NATs say nothing of IPv6 and of routers that map ports. By its plain name a
population has neither. A name such as ``"home+ipv6+mapping"`` gives it both, in the shares of
``populations.csv``, and ``"home+ipv6=60+none=5+closed=10+mapping=20"`` in other shares, in percent:
of the ends with IPv6, 5 % are without a firewall, 10 % behind a closed one, and the others behind a
stateful one. Every place gets them alike, as if they did not depend on the NAT, with two
exceptions: who blocks UDP does so for IPv6, too (closed), and only a router that passes UDP is
asked to map ports. The same quantile draws the same NATs with and without features.
"""

import csv
import io
import math
from bisect import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache, cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from jamlab.networks.model.ipv6_firewall import Ipv6Firewall
from jamlab.networks.model.nat_behaviour import FirewallType, NatType
from jamlab.networks.model.place import Place
from jamlab.networks.model.place_names import place_named
from jamlab.resources import data_path

ROUNDING_PERCENT = 0.5
"""Largest deviation of the shares' sum from 100: studies round, and we normalise."""

POPULATIONS_FILE = "populations.csv"


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


@dataclass(frozen=True)
class Features:
    """What some of a population's members have besides their NATs, in percent.

    Raises `PopulationError` for a share that cannot be.
    """

    ipv6: float = 0.0
    """Ends with IPv6, of all ends."""
    none: float = 0.0
    """Of the ends with IPv6, those without an IPv6 firewall."""
    closed: float = 0.0
    """Of the ends with IPv6, those behind a closed firewall; the others' is stateful."""
    mapping: float = 0.0
    """Ends whose router maps ports, of those behind one that passes UDP."""

    def __post_init__(self) -> None:
        for field in fields(self):
            percent = getattr(self, field.name)
            if not 0 <= percent <= 100:
                raise PopulationError(f"{field.name} is {percent:g} %: give 0 to 100")
        if self.none + self.closed > 100:
            raise PopulationError(
                f"none and closed are {self.none + self.closed:g} % of the IPv6 firewalls: give "
                "100 or less"
            )

    @property
    def suffix(self) -> str:
        """The features as they stand in a population's name, e.g. ``"+ipv6=50.1"``."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return "".join(f"+{name}={percent:g}" for name, percent in given.items() if percent)

    def variants(self, place: Place) -> Iterator[tuple[Place, float]]:
        """Yield the variants of a plain place that occur, and the share of each among them."""
        boxes = [box for layer in place.layers for box in layer]
        blocked = any(isinstance(box, FirewallType) and box.udp_blocked for box in boxes)
        own_router = any(isinstance(box, NatType) for box in boxes) and not blocked
        mapping = self.mapping / 100 if own_router else 0.0
        for firewall, share in self._firewalls(blocked):
            for maps, part in ((False, share * (1 - mapping)), (True, share * mapping)):
                if part > 0:
                    yield place.variant(firewall, port_mapping=maps), part

    def _firewalls(self, blocked: bool) -> Iterator[tuple[Ipv6Firewall | None, float]]:
        ipv6, none, closed = self.ipv6 / 100, self.none / 100, self.closed / 100
        if blocked:
            none, closed = 0.0, 1.0
        yield None, 1 - ipv6
        yield Ipv6Firewall.NONE, ipv6 * none
        yield Ipv6Firewall.STATEFUL, ipv6 * max(0.0, 1 - none - closed)
        yield Ipv6Firewall.CLOSED, ipv6 * closed


def with_features(population: Population, features: Features, source: str = "") -> Population:
    """Return a plain population with features; its name and its source say so."""
    if not features.suffix:
        return population
    variants = [
        (variant, share * part)
        for place, share in zip(population.places, population.shares, strict=True)
        for variant, part in features.variants(place)
    ]
    places, shares = zip(*variants, strict=True)
    return replace(
        population,
        name=population.name + features.suffix,
        places=places,
        shares=shares,
        source=f"{population.source} With{features.suffix.replace('+', ' ')} (%). {source}".strip(),
    )


def load_population(name: str) -> Population:
    """Return a population that ships with jamlab; raises `PopulationError` for another name.

    Features may follow the name, as at the top of this module.

    Examples
    --------
    >>> population = load_population("mobile")
    >>> len(population.places) == len(population.shares)
    True
    >>> round(sum(population.shares), 9)
    1.0
    """
    population, (_, *asked) = plain_population(name), name.split("+")
    row = _row(population.name)
    return with_features(population, _features(name, asked, row), row["features"])


def plain_population(name: str) -> Population:
    """Return a population without the features in its name; raises as `load_population` does."""
    plain = name.partition("+")[0]
    row = _row(plain)
    text = data_path(f"{plain}.csv").read_text(encoding="utf-8")
    return parse_population(text, plain, _endpoints(row["endpoints"], plain), row["derivation"])


def known_features(population: Population) -> Features:
    """Return the features that jamlab's data state or assume for a plain population."""
    known = [field.name for field in fields(Features)]
    return _features(population.name, known, _row(population.name))


def _features(name: str, asked: list[str], row: Mapping[str, str]) -> Features:
    """Return the features in a name; those without a share have that of `POPULATIONS_FILE`."""
    known = [field.name for field in fields(Features)]
    shares: dict[str, float] = {}
    for text in asked:
        feature, given, percent = text.partition("=")
        if feature not in known or feature in shares:
            raise PopulationError(
                f"{name!r} has {text!r} after the population: give each of {', '.join(known)} once "
                'at most, as in "home+ipv6=50.1+mapping"'
            )
        shares[feature] = _share(percent if given else row[feature], f"{feature} of {name!r}")
    return Features(**shares)


def _share(percent: str, what: str) -> float:
    try:
        return float(percent)
    except ValueError:
        raise PopulationError(f"{what} is {percent!r}: give a number of percent") from None


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


def _row(name: str) -> dict[str, str]:
    """Return a population's row in `POPULATIONS_FILE`."""
    about = _about()
    if name not in about:
        raise PopulationError(f"there is no population {name!r}: choose {', '.join(about)}")
    return about[name]


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
