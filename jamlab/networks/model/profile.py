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

Some profiles replay a trace in place of jitter: a recording that ships with jamlab, or one that a
stall model generates. It is replayed either once on a path, by the sender's link, or by each of the
two links, where it is about a participant's access alone.
"""

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from jamlab.networks.model.delay_table import shipped_delays, shipped_files
from jamlab.networks.model.link import LEAST_RATE_BIT_S, LinkConfig
from jamlab.networks.model.packet_trace import PacketTrace, delays_of
from jamlab.networks.model.stalls import shipped_models, shipped_stalls
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
    "replays",
    "replayed_on",
)
_TRACE, _STALLS = "trace", "stalls"
"""Kinds of what a profile replays: a file of ``data/``, or one of ``data/stall_models.toml``."""
_REPLAYED_ON = {"path": True, "each link": False}
_UNLIMITED_BIT_S = 1e12
_SENT = 100_000
"""Packets whose delays describe a trace."""


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
    replays: str = ""
    """What its links replay, in place of jitter, kind and name; empty for nothing that ships."""
    trace_once: bool = False
    """Whether it is replayed once on a path, not by each of the two links."""
    trace: PacketTrace | None = None
    """A given trace to replay."""

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
        replaying = bool(self.replays) or self.trace is not None
        _check(
            self, "jitter_s", not (replaying and self.jitter_s), "0 with a trace, which has its own"
        )

    def access(self) -> LinkConfig:
        """Return a participant's access link: two in a row have the profile's figures."""
        return LinkConfig(
            delay_s=self.delay_s / 2,
            jitter_s=self.jitter_s / 2,
            loss=self.loss / (1 + math.sqrt(1 - self.loss)),
            burst_packets=self._link_burst_packets(),
            rate_bit_s=min(self.up_bit_s, self.down_bit_s),
            trace=self.replayed(),
            trace_once=self.trace_once,
        )

    def replayed(self) -> PacketTrace | None:
        """Return the trace that its links replay; None for a profile without one."""
        if self.trace is not None or not self.replays:
            return self.trace
        kind, _, name = self.replays.partition(" ")
        return shipped_delays(name) if kind == _TRACE else shipped_stalls(name)

    @property
    def stationary(self) -> "NetworkProfile":
        """The profile with the least delay, mean jitter and loss of its trace in place of it.

        They are those of packets at even intervals, as in a replay.
        """
        trace = self.replayed()
        if trace is None:
            return self
        delay_s, arriving = _delays_at_even_intervals(trace)
        times = 1 if self.trace_once else 2
        least_s = max(0.0, float(delay_s.min()))
        return replace(
            self,
            delay_s=self.delay_s + times * least_s,
            jitter_s=times * max(0.0, float(delay_s.mean()) - least_s),
            loss=1 - (1 - self.loss) * arriving**times,
            burst_packets=1.0,
            replays="",
            trace_once=False,
            trace=None,
        )

    def _link_burst_packets(self) -> float:
        """Return l / (p (1 - l)), without division by 0, cancellation or overflow."""
        if self.burst_packets == 1:
            return 1.0
        passes = math.sqrt(1 - self.loss)
        begins = self.loss / (self.burst_packets * (1 - self.loss))
        return self.burst_packets * (passes * (1 + math.sqrt(1 - begins)) / (1 + passes))


def _delays_at_even_intervals(trace: PacketTrace) -> tuple[NDArray[np.float64], float]:
    """Return the delays of packets in one round of a trace, and the share that arrives."""
    delays = delays_of(trace)
    sent_s = np.linspace(0, delays.duration_s, _SENT, endpoint=False)
    delay_s = delays.arrivals_s(sent_s) - sent_s
    arrive = ~np.isnan(delay_s)
    known_s = delay_s[arrive] if arrive.any() else delays.delay_s[delays.received]
    return known_s, float(np.mean(arrive))


def _check(profile: NetworkProfile, name: str, good: bool, wanted: str) -> None:
    if not good:
        raise ProfileError(
            f"{name} of {profile.name!r} is {getattr(profile, name)!r}: give {wanted}"
        )


def profile_replaying(trace: PacketTrace) -> NetworkProfile:
    """Return a profile whose paths replay a trace once each, and add nothing to it.

    Its name is the trace's, without the endings of a file.

    Examples
    --------
    >>> profile_replaying(shipped_delays("5g_public_car.csv.gz")).name
    'trace 5g_public_car'
    """
    name = f"trace {trace.name.partition('.')[0] or trace.name}"
    rate_bit_s = _UNLIMITED_BIT_S
    said = "; ".join(trace.notes)
    return NetworkProfile(
        name, 0.0, 0.0, 0.0, 1.0, rate_bit_s, rate_bit_s, trace.name, said, "", True, trace
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
    """Return the names of the profiles that ship with jamlab and draw their jitter.

    They are measured where no profile is named.
    """
    return tuple(name for name, profile in _profiles().items() if not profile.replays)


def replaying_names() -> tuple[str, ...]:
    """Return the names of the profiles that ship with jamlab and replay what a network did."""
    return tuple(name for name, profile in _profiles().items() if profile.replays)


@cache
def _profiles() -> dict[str, NetworkProfile]:
    text = data_path(PROFILES_FILE).read_text(encoding="utf-8")
    return {profile.name: profile for profile in parse_profiles(text)}


def parse_profiles(text: str) -> tuple[NetworkProfile, ...]:
    """Read profiles from CSV, one a row.

    The columns are ``profile``, ``delay_ms``, ``jitter_ms``, ``loss_percent``, ``burst_packets``,
    ``up_mbit_s``, ``down_mbit_s``, ``source`` and ``assumed``; and ``replays``, which is empty, or
    ``trace`` or ``stalls`` and a name, with ``replayed_on``: ``path`` or ``each link``.
    Raises `ProfileError`, with row and column, if a value is missing or invalid.
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
    replays, once = _replayed(row, where)
    values = name, delay_s, jitter_s, loss, burst_packets, up_bit_s, down_bit_s, source, assumed
    try:
        return NetworkProfile(*values, replays, once)
    except ProfileError as error:  # the range of bursts depends on the loss, that of jitter on a
        # trace; the rest is checked
        column = "jitter_ms" if replays and jitter_s else "burst_packets"
        raise ProfileError(f"{where}, column {column}: {error}") from None


def _replayed(row: Mapping[str, str | None], where: str) -> tuple[str, bool]:
    """Return what a profile replays, and whether once on a path."""
    replays = (row.get("replays") or "").strip()
    if not replays:
        return "", False
    kind, _, name = replays.partition(" ")
    if kind not in (_TRACE, _STALLS) or not name:
        raise ProfileError(
            f"{where}, column replays is {replays!r}: give '{_TRACE} FILE' or '{_STALLS} MODEL'"
        )
    shipped = shipped_files() if kind == _TRACE else shipped_models()
    if name not in shipped:
        raise ProfileError(
            f"{where}, column replays is {replays!r}, which does not ship with jamlab: name one of "
            f"{', '.join(shipped)}"
        )
    on = _text(row, "replayed_on", where)
    if on not in _REPLAYED_ON:
        raise ProfileError(
            f"{where}, column replayed_on is {on!r}: give {' or '.join(_REPLAYED_ON)}"
        )
    return replays, _REPLAYED_ON[on]


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
