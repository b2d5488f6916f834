"""Network profiles: delay, jitter, loss and rate between two participants.

A profile's figures are one-way between two participants. Each participant has an access link, and a
packet passes two: the sender's up and the receiver's down. So each link gets a part:

- half the delay, and half the jitter, as means add up. Two exponential jitters make an Erlang-2
  distribution, with a standard deviation of 71 % of its mean.
- the loss l with 1 - (1 - l)² = L. A burst of losses begins where neither link is in its bad state
  and one of them turns: with probability P = 1 - (1 - p)² a packet. Bursts of B packets that lose
  the share L begin after P = L / (B (1 - L)) of the packets that arrive, hence p; and from p and l
  follows the length of a link's own bursts. This is exact.
- the smaller of the two rates, usually the upstream one, as a link is the same in both directions.
  In a mesh the upstream traffic equals the downstream traffic, so the upstream fills first;
  downstream, the modelled link is slower than the real one. Serialisation, on each of the two
  links, adds to the delay.
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
    """A profile is invalid; the message names row and column and says what to do."""


class UnknownProfileError(ValueError):
    """There is no profile of that name; the message lists the names."""


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """One-way properties of the network between two participants.

    Raises `ProfileError`, with value and range, if a value is out of its range.
    """

    name: str
    delay_s: float
    """Minimum one-way delay."""
    jitter_s: float
    """Mean of the delay beyond the minimum."""
    loss: float
    """Share of packets lost, less than 1."""
    burst_packets: float
    """Mean length of a burst of losses; 1 means independent losses."""
    up_bit_s: float
    down_bit_s: float
    source: str
    """Publications of the figures."""
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
        """Return a participant's access link: two in a row have the profile's figures."""
        return LinkConfig(
            delay_s=self.delay_s / 2,
            jitter_s=self.jitter_s / 2,
            loss=self.loss / (1 + math.sqrt(1 - self.loss)),
            burst_packets=self._link_burst_packets(),
            rate_bit_s=min(self.up_bit_s, self.down_bit_s),
        )

    def _link_burst_packets(self) -> float:
        """Return l / (p (1 - l)), without division by 0, cancellation or overflow."""
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
    """Return a profile that ships with jamlab; raises UnknownProfileError for an unknown name."""
    profiles = _profiles()
    if name not in profiles:
        raise UnknownProfileError(
            f"there is no network profile {name!r}: choose {', '.join(profiles)}"
        )
    return profiles[name]


def profile_names() -> tuple[str, ...]:
    """Return the names of the profiles that ship with jamlab."""
    return tuple(_profiles())


@cache
def _profiles() -> dict[str, NetworkProfile]:
    text = data_path(PROFILES_FILE).read_text(encoding="utf-8")
    return {profile.name: profile for profile in parse_profiles(text)}


def parse_profiles(text: str) -> tuple[NetworkProfile, ...]:
    """Read profiles from CSV, one a row.

    The columns are ``profile``, ``delay_ms``, ``jitter_ms``, ``loss_percent``, ``burst_packets``,
    ``up_mbit_s``, ``down_mbit_s``, ``source`` and ``assumed``. Raises `ProfileError`, with row and
    column, if a value is missing or invalid.
    """
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except csv.Error as error:
        raise ProfileError(f"the network profiles are not valid CSV: {error}") from None
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
                f"row {number + 2}, column profile: {name!r} appears twice: rename it"
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
    except ProfileError as error:  # the range of bursts depends on the loss; the rest is checked
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
    """Return a number times its unit, within its limits."""
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
