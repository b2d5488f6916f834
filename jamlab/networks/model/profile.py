"""Network profiles: how far apart participants are, and what the network between them is like.

A profile's figures are between two participants, one way. A participant has an access link, and a
packet passes two of them, the sender's up and the receiver's down, so each has its part:

- half the delay, and half the jitter, for means of sums add up. Two exponential jitters make an
  Erlang-2 distribution, with a standard deviation of 71 % of its mean.
- the loss l with 1 - (1 - l)² = L. A burst of losses begins where neither link is in its bad state
  and one of them turns: with probability P = 1 - (1 - p)² a packet. Bursts of B packets that lose
  the share L begin after P = L / (B (1 - L)) of the packets that arrive, hence p; and from p and l
  follows the length of a link's own bursts. This is exact.
- a link is the same in both directions, so it has the smaller of the two rates, usually the one up.
  In a mesh as much goes up as comes down, so that is the one that fills first; the other way the
  link is then slower than the real one. Serialisation, on each of the two links, is on top of the
  delay.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from jamlab.networks.model.link import LEAST_RATE_BIT_S, LinkConfig
from jamlab.resources import data_path

PROFILES_FILE = "network_profiles.csv"

_COLUMNS = (
    "profile",
    "delay_ms",
    "jitter_ms",
    "loss_percent",
    "burst_packets",
    "up_mbit_s",
    "down_mbit_s",
    "source",
    "assumed",
)


class ProfileError(ValueError):
    """A profile that cannot be used; says which row and column, and what to do."""


class UnknownProfileError(ValueError):
    """There is no profile of that name; says which there are."""


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """What the network between two participants is like, one way.

    Raises
    ------
    ProfileError
        When a value is out of its range; names it and the range.
    """

    name: str
    delay_s: float
    """Least one-way delay."""
    jitter_s: float
    """Mean of what comes on top of it."""
    loss: float
    """Share of packets lost, less than 1."""
    burst_packets: float
    """Mean length of a burst of losses; 1 stands for independent losses."""
    up_bit_s: float
    """A participant's rate up, bits a second."""
    down_bit_s: float
    """A participant's rate down, bits a second."""
    source: str
    """Publications the figures are from."""
    assumed: str
    """Which figures are assumptions, and why."""

    def __post_init__(self) -> None:
        for name in ("delay_s", "jitter_s"):
            _check(self, name, 0 <= getattr(self, name) < math.inf, "seconds, 0 or more")
        for name in ("up_bit_s", "down_bit_s"):
            good = LEAST_RATE_BIT_S <= getattr(self, name) < math.inf
            _check(self, name, good, f"bits a second, {LEAST_RATE_BIT_S:g} or more")
        _check(self, "loss", 0 <= self.loss < 1, "a share, 0 or more and less than 1")
        least = 1 / (1 - self.loss)
        bursts = self.burst_packets == 1 or least < self.burst_packets < math.inf
        _check(self, "burst_packets", bursts, f"1 (independent losses) or more than {least:g}")

    def access(self) -> LinkConfig:
        """Return a participant's access link: two of them have the profile's figures."""
        return LinkConfig(
            delay_s=self.delay_s / 2,
            jitter_s=self.jitter_s / 2,
            loss=self.loss / (1 + math.sqrt(1 - self.loss)),
            burst_packets=self._link_burst_packets(),
            rate_bit_s=min(self.up_bit_s, self.down_bit_s),
        )

    def _link_burst_packets(self) -> float:
        """Return l / (p (1 - l)), in a form that neither divides by 0, cancels nor overflows."""
        if self.burst_packets == 1:
            return 1.0
        passes = math.sqrt(1 - self.loss)
        begins = self.loss / (self.burst_packets * (1 - self.loss))
        return self.burst_packets * (passes * (1 + math.sqrt(1 - begins)) / (1 + passes))


def _check(profile: NetworkProfile, name: str, good: bool, wanted: str) -> None:
    if not good:
        raise ProfileError(
            f"{name} of {profile.name!r} is {getattr(profile, name)!r}: give {wanted}"
        )


def profile_named(name: str) -> NetworkProfile:
    """Return a profile that comes with jamlab.

    Raises
    ------
    UnknownProfileError
        When there is none of that name.
    """
    profiles = _profiles()
    if name not in profiles:
        raise UnknownProfileError(
            f"there is no network profile {name!r}: choose {', '.join(profiles)}"
        )
    return profiles[name]


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with jamlab."""
    return tuple(_profiles())


@cache
def _profiles() -> dict[str, NetworkProfile]:
    text = data_path(PROFILES_FILE).read_text(encoding="utf-8")
    return {profile.name: profile for profile in parse_profiles(text)}


def parse_profiles(text: str) -> tuple[NetworkProfile, ...]:
    """Read profiles from CSV, a row each.

    Parameters
    ----------
    text : str
        The CSV, with the columns ``profile``, ``delay_ms``, ``jitter_ms``, ``loss_percent``,
        ``burst_packets``, ``up_mbit_s``, ``down_mbit_s``, ``source`` and ``assumed``.

    Raises
    ------
    ProfileError
        Names row and column.
    """
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise ProfileError(f"the network profiles are no CSV: {error}") from None
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ProfileError(f"the network profiles have no column {missing[0]}: add it")
    if not rows:
        raise ProfileError("the network profiles are empty: give a row per profile")
    profiles = tuple(_profile(row, f"row {number}") for number, row in enumerate(rows, start=2))
    names = [profile.name for profile in profiles]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ProfileError(
                f"row {number + 2}, column profile: {name!r} is there twice: rename it"
            )
    return profiles


def _profile(row: Mapping[str, str | None], where: str) -> NetworkProfile:
    if None in row:
        raise ProfileError(f"{where} has more values than there are columns: quote its commas")
    name = _text(row, "profile", where)
    delay_s = _number(row, "delay_ms", where, 1e-3)
    jitter_s = _number(row, "jitter_ms", where, 1e-3)
    loss = _number(row, "loss_percent", where, 1e-2, below=1)
    up_bit_s = _number(row, "up_mbit_s", where, 1e6, least=LEAST_RATE_BIT_S)
    down_bit_s = _number(row, "down_mbit_s", where, 1e6, least=LEAST_RATE_BIT_S)
    burst_packets = _number(row, "burst_packets", where, 1)
    source, assumed = (_text(row, column, where) for column in ("source", "assumed"))
    try:
        return NetworkProfile(
            name, delay_s, jitter_s, loss, burst_packets, up_bit_s, down_bit_s, source, assumed
        )
    except ProfileError as error:  # only bursts are left: what is allowed hangs on the loss
        raise ProfileError(f"{where}, column burst_packets: {error}") from None


def _text(row: Mapping[str, str | None], column: str, where: str) -> str:
    text = (row.get(column) or "").strip()
    if not text:
        raise ProfileError(f"{where}, column {column} is empty: fill it in")
    return text


def _number(
    row: Mapping[str, str | None],
    column: str,
    where: str,
    unit: float,
    *,
    least: float = 0.0,
    below: float = math.inf,
) -> float:
    """Return a value times its unit, within its limits."""
    text = _text(row, column, where)
    try:
        number = float(text) * unit
    except ValueError:
        number = math.nan
    if least <= number < below:
        return number
    limit = f", less than {below / unit:g}" if below < math.inf else ""
    raise ProfileError(
        f"{where}, column {column} is {text!r}: give a number, {least / unit:g} or more{limit}"
    )
