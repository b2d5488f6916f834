"""Agreement on who connects between the rule, the simulated internet and the kernel with coturn.

A *cell* is a pair of places under an ICE configuration, a call tried once on each network. Its
class is direct, relayed or failed. Where both a relay and a direct path exist, aioice nominates the
pair that answers first (RFC 8445 §8.1.1): that is luck, not a property of the networks. So the
record has the selected path, but cells compare the possible ones: a relayed call that is direct on
the same network without a relay counts as direct (*direct-capable*). The rule's class is direct
wherever a direct path may be taken.

The simulated internet has TCP in place of TLS
(`jamlab.measure.connectivity.call.stand_in`).
"""

import itertools
from collections.abc import Iterable, Sequence

import pandas as pd

from jamlab.ice.configuration import IceConfiguration, IceServer
from jamlab.ice.file import embedded_configurations
from jamlab.measure.connectivity.attempt import DIRECT, FAILED, RELAYED
from jamlab.measure.connectivity.call import Call
from jamlab.measure.connectivity.record import STUN_ONLY
from jamlab.measure.connectivity.success import direct_capable
from jamlab.networks.model.place import Place
from jamlab.networks.model.place_names import place_named
from jamlab.networks.model.rule import RelayTransport, expected

TYPES = tuple(
    place_named(name)
    for name in (
        "open",
        "full cone",
        "address restricted",
        "port restricted",
        "symmetric",
        "UDP blocked",
        "CGN port restricted + port restricted",
        "CGN symmetric + port restricted",
    )
)
"""Every kind of place that a kernel can build: each of its NATs, alone and in two layers."""

IPV6_TYPES = tuple(
    place_named(name)
    for name in (
        "symmetric",
        "symmetric, IPv6 none",
        "symmetric, IPv6 stateful",
        "symmetric, IPv6 closed",
        "UDP blocked, IPv6 stateful",
        "CGN symmetric + port restricted, IPv6 stateful",
        "open, IPv6 closed",
    )
)
"""Every class of IPv6 firewall, mostly where IPv6 is the only direct way, and a place without."""

MAPPING_TYPES = tuple(
    place_named(name)
    for name in (
        "symmetric",
        "symmetric, port mapping",
        "port restricted, port mapping",
        "UDP blocked, port mapping",
        "CGN symmetric + port restricted, port mapping",
    )
)
"""Routers that map ports, behind nothing, a firewall and a carrier's NAT, and one that does not."""

GROUPS = TYPES, IPV6_TYPES, MAPPING_TYPES
"""Within each group, every two types of place call each other."""

ORACLE, SIMULATOR, KERNEL = "oracle", "simulator", "kernel"
DEADLINE_S = 20.0
"""Time after which an attempt has failed: ends without UDP gather for 5 s each, and of the seven
requests of a check, the last that has ever succeeded is sent after 7.5 s."""

_DELAY_S, _SIGNALLING_S = 0.02, 0.05
_KEY = ["call", "configuration"]


def agreement_configurations() -> tuple[IceConfiguration, ...]:
    """Return the configurations to try, with the simulated internet's server names."""
    embedded = embedded_configurations()
    stun = embedded[STUN_ONLY].servers
    over_tls = IceServer("turns:turn.jamlab.test:5349?transport=tcp", "jam", "jam")
    return (
        embedded[STUN_ONLY],
        embedded["STUN+TURN/UDP"],
        embedded["STUN+TURN/TCP"],
        IceConfiguration("STUN+TURN/TLS", (*stun, over_tls)),
        embedded["relay only"],
    )


def agreement_calls(*groups: Sequence[Place]) -> tuple[Call, ...]:
    """Return a call between every two types of place of a group, and one within each type.

    By default the groups are `GROUPS`. A pair that several groups have calls once.
    """
    pairs = itertools.chain.from_iterable(
        itertools.combinations_with_replacement(types, 2) for types in groups or GROUPS
    )
    return tuple(
        Call(number, number, *pair, _DELAY_S, _DELAY_S, _SIGNALLING_S)
        for number, pair in enumerate(dict.fromkeys(pairs))
    )


def expected_result(a: Place, b: Place, configuration: IceConfiguration) -> str:
    """Return a cell's class by the rule: direct if possible, else relayed, else failed."""
    arguments = configuration.connection_arguments()
    relay: RelayTransport = arguments.get("turn_transport", "")
    possible = expected(
        a,
        b,
        stun="stun_server" in arguments,
        relay=relay,
        relay_only=configuration.policy == "relay",
    )
    return DIRECT if possible.direct else RELAYED if possible.relayed else FAILED


def agreement_table(
    kernel: pd.DataFrame, simulator: pd.DataFrame, configurations: Sequence[IceConfiguration]
) -> pd.DataFrame:
    """Compare the results of the same attempts on both networks with the rule.

    Both tables have the columns of `ATTEMPT_COLUMNS` and each pair of call and configuration once;
    one configuration is `STUN_ONLY`. The result has a row per cell, in the kernel's order:
    ``call``, ``caller``, ``callee``, ``configuration``; ``oracle`` (the rule), ``simulator`` and
    ``kernel``, the classes that are compared; ``agrees``; for both networks ``…_result``, the
    selected path, ``…_by_luck``, whether it was relayed although direct-capable, and ``…_time_s``,
    the time to connect, NaN if it failed.
    """
    by_name = {configuration.name: configuration for configuration in configurations}
    table = kernel[[*_KEY, "caller", "callee"]].copy()
    table[ORACLE] = [
        expected_result(place_named(caller), place_named(callee), by_name[name])
        for name, caller, callee in table[["configuration", "caller", "callee"]].to_numpy(str)
    ]
    for network, attempts in ((SIMULATOR, simulator), (KERNEL, kernel)):
        compared = _compared(attempts, network, relayed_by_luck(attempts, by_name.values()))
        table = table.merge(compared, on=_KEY, validate="1:1")
    table["agrees"] = (table[ORACLE] == table[SIMULATOR]) & (table[ORACLE] == table[KERNEL])
    return table


def relayed_by_luck(
    attempts: pd.DataFrame, configurations: Iterable[IceConfiguration]
) -> pd.Series:
    """Return whether each attempt was relayed although the same call is direct without a relay."""
    relay_only = {each.name for each in configurations if each.policy == "relay"}
    capable = attempts["call"].isin(direct_capable(attempts))
    relayed = attempts["result"] == RELAYED
    return relayed & capable & ~attempts["configuration"].isin(relay_only)


def _compared(attempts: pd.DataFrame, network: str, by_luck: pd.Series) -> pd.DataFrame:
    return attempts[_KEY].assign(
        **{
            network: attempts["result"].mask(by_luck, DIRECT),
            f"{network}_result": attempts["result"],
            f"{network}_by_luck": by_luck,
            f"{network}_time_s": attempts["time_to_connect_s"],
        }
    )


def disagreements(table: pd.DataFrame) -> list[str]:
    """Return a sentence for each cell of an `agreement_table` in which the three differ."""
    return [
        f"{row.caller} with {row.callee} under {row.configuration} is {row.oracle} by the rule, "
        f"{row.simulator} simulated and {row.kernel} on the kernel"
        for row in table[~table["agrees"]].itertuples()
    ]
