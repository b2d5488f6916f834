"""Check by two independent clients that the boxes of a lab have the requested behaviour.

jamlab's NAT behaviour discovery (`jamlab.networks.discovery.discover`) and coturn's
``turnutils_natdiscovery`` run behind the boxes with a server of two addresses (RFC 5780). Boxes in
a row appear as one, with the least permissive mapping and filtering of all, and the hairpinning of
the outermost NAT.
"""

import asyncio
import re
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

from jamlab.networks.discovery.conclusions import Discovery
from jamlab.networks.discovery.discover import discover
from jamlab.networks.kernel.coturn import Coturn
from jamlab.networks.kernel.lab import KernelHost, KernelLab
from jamlab.networks.model.nat_behaviour import Filtering, FirewallType, Mapping, NatType
from jamlab.networks.model.packet import Address
from jamlab.networks.model.topology import networks_around

Box: TypeAlias = NatType | FirewallType

LONGEST_S = 30.0
"""Longest lifetime that is checked; the check takes several times as long."""

_RESOLUTION_S = 1.0
_SAYS = re.compile(
    r"(No NAT!|NAT with) \(?"
    r"(Endpoint Independent|Address Dependent|Address and Port Dependent) (Mapping|Filtering)"
)
_WORDS = ("Endpoint Independent", "Address Dependent", "Address and Port Dependent")
_MAPPINGS = dict(zip(_WORDS, Mapping, strict=True))
_FILTERINGS = dict(zip(_WORDS, Filtering, strict=True))


class ProofError(RuntimeError):
    """Boxes lack the requested behaviour; the message has both and the client that differs."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Discoverable behaviour of all boxes in front of a host; None where it is unknown."""

    udp_blocked: bool = False
    nat: bool = False
    mapping: Mapping | None = Mapping.EIM
    filtering: Filtering | None = Filtering.EIF
    hairpinning: bool | None = None
    lifetime_s: float | None = None
    """Shortest lifetime; None when it is too long for the check."""


@dataclass(frozen=True, slots=True)
class Proof:
    """Results of both clients on one host, and the requested behaviour."""

    host: str
    asked_for: Behaviour
    by_jamlab: Discovery
    by_coturn: Behaviour
    """Its mapping, filtering and existence of a NAT; coturn tests nothing else."""


def asked_for(boxes: Sequence[Box]) -> Behaviour:
    """Return the joint behaviour of boxes, listed from the inside out."""
    if any(isinstance(box, FirewallType) and box.udp_blocked for box in boxes):
        return Behaviour(udp_blocked=True, nat=False, mapping=None, filtering=None)
    nats = [box for box in boxes if isinstance(box, NatType)]
    mapping = max((nat.mapping for nat in nats), key=[*Mapping].index, default=Mapping.EIM)
    lifetime_s = min((_lifetime_s(box) for box in boxes), default=LONGEST_S + 1)
    return Behaviour(
        nat=bool(nats),
        mapping=mapping,
        filtering=max(
            (box.filtering for box in boxes), key=[*Filtering].index, default=Filtering.EIF
        ),
        hairpinning=nats[-1].hairpinning if nats and mapping is Mapping.EIM else None,
        lifetime_s=lifetime_s if lifetime_s <= LONGEST_S else None,
    )


def _lifetime_s(box: Box) -> float:
    return box.mapping_lifetime_s if isinstance(box, NatType) else box.lifetime_s


def prove(lab: KernelLab, server: Coturn, hosts: Iterable[str]) -> tuple[Proof, ...]:
    """Check the boxes in front of several hosts at the same time.

    It takes some seconds, and more where a lifetime is checked. Afterwards the state of these boxes
    is cleared. The server has two addresses on the lab's backbone. Raises `ProofError`, with all
    differences, if a client finds another behaviour.
    """
    around = {name: networks_around(lab.topology, name) for name in hosts}
    asked = {
        name: asked_for([box for network in networks for box in network.boxes])
        for name, networks in around.items()
    }
    proofs = _look_from(lab, (server.addresses[0], server.port), asked)
    for network in {network.name for networks in around.values() for network in networks}:
        lab.reboot(network)
    if wrong := [complaint for proof in proofs for complaint in _complaints(proof)]:
        raise ProofError("; ".join(wrong))
    return proofs


def _look_from(lab: KernelLab, server: Address, asked: dict[str, Behaviour]) -> tuple[Proof, ...]:
    """Run the clients of each host on a thread of its own, inside the host's namespace."""
    stops: list[Future[None]] = [Future() for _ in asked]
    with ThreadPoolExecutor(max(1, len(asked))) as threads:
        try:
            looking = [
                threads.submit(_look, lab.host(name), server, behaviour, stop)
                for (name, behaviour), stop in zip(asked.items(), stops, strict=True)
            ]
            return tuple(look.result() for look in looking)
        finally:  # so that an interruption does not wait for the clients
            for stop in stops:
                stop.cancel()


def _look(host: KernelHost, server: Address, asked: Behaviour, stop: Future[None]) -> Proof:
    async def look() -> Proof:
        ours = asyncio.create_task(_by_jamlab(server, asked))
        theirs = asyncio.create_task(_by_coturn(host, server))
        both = asyncio.gather(ours, theirs)
        stopped = asyncio.wrap_future(stop)
        stopped.add_done_callback(lambda _: both.cancel())
        try:
            return Proof(host.name, asked, *await both)
        finally:
            stopped.cancel()
            await _ended(ours, theirs)

    with host.inside():
        return asyncio.run(look())


async def _ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks once and wait for them: a second cancellation would interrupt their clean-up."""
    for task in tasks:
        if not task.cancelling():
            task.cancel()
    await asyncio.wait(tasks)


async def _by_jamlab(server: Address, asked: Behaviour) -> Discovery:
    limit_s = None if asked.lifetime_s is None else 2 * asked.lifetime_s
    return await discover(server, lifetime_limit_s=limit_s, lifetime_resolution_s=_RESOLUTION_S)


async def _by_coturn(host: KernelHost, server: Address) -> Behaviour:
    client = await asyncio.create_subprocess_exec(
        *("turnutils_natdiscovery", "-m", "-f", "-L", host.addresses[0]),
        *("-p", str(server[1]), server[0]),
        stdout=PIPE,
        stderr=STDOUT,
    )
    try:
        printed, _ = await client.communicate()
    finally:
        if client.returncode is None:
            client.kill()
            await client.wait()
    return parse_natdiscovery(printed.decode(errors="replace"))


def parse_natdiscovery(printed: str) -> Behaviour:
    """Parse the output of ``turnutils_natdiscovery -m -f``; it is empty when UDP is blocked."""
    found = {what: (nat, word) for nat, word, what in _SAYS.findall(printed)}
    nat, mapping = found.get("Mapping", ("", ""))
    _, filtering = found.get("Filtering", ("", ""))
    return Behaviour(
        udp_blocked="UDP reflexive addr" not in printed,
        nat=nat == "NAT with",
        mapping=_MAPPINGS.get(mapping),
        filtering=_FILTERINGS.get(filtering),
    )


def _complaints(proof: Proof) -> Iterator[str]:
    """Yield a sentence for each client that found another behaviour than the requested one."""
    ours, theirs = proof.by_jamlab, proof.by_coturn
    names = ["udp_blocked", "mapping", "filtering"]
    if not proof.asked_for.udp_blocked:
        names.append("nat")
    yield from _complaint(proof, "turnutils_natdiscovery", theirs, names)
    if proof.asked_for.hairpinning is not None:
        names.append("hairpinning")
    yield from _complaint(proof, "jamlab natprobe", ours, names)
    asked_s = proof.asked_for.lifetime_s
    if asked_s is not None and not _lasts(asked_s, ours.lifetime_s):
        yield (
            f"the boxes in front of {proof.host!r} should have a lifetime of {asked_s:g} s, but "
            f"jamlab natprobe found one between {ours.lifetime_s} s"
        )


def _lasts(asked_s: float, found_s: tuple[float, float] | None) -> bool:
    if found_s is None:
        return False
    return found_s[0] - _RESOLUTION_S <= asked_s <= found_s[1] + _RESOLUTION_S


def _complaint(
    proof: Proof, client: str, found: Behaviour | Discovery, names: list[str]
) -> Iterator[str]:
    asked_for, seen = (
        ", ".join(f"{name} {_shown(getattr(behaviour, name))}" for name in names)
        for behaviour in (proof.asked_for, found)
    )
    if asked_for != seen:
        yield (
            f"the boxes in front of {proof.host!r} should have {asked_for}, but {client} found "
            f"{seen}"
        )


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
