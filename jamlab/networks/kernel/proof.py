"""Whether the boxes of a lab behave as they were asked to, seen by two clients of another origin.

jamlab's own (`jamlab.networks.discovery.discover`) and coturn's ``turnutils_natdiscovery``, each
from behind the boxes, ask a server of two addresses (RFC 5780). Boxes in a row are seen as one: the
least permissive mapping and filtering of them all, and the hairpinning of the outermost NAT.
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
"""Lifetimes up to this are proved; longer ones would take longer than anybody wants to wait."""

_RESOLUTION_S = 1.0
_SAYS = re.compile(
    r"(No NAT!|NAT with) \(?"
    r"(Endpoint Independent|Address Dependent|Address and Port Dependent) (Mapping|Filtering)"
)
_WORDS = ("Endpoint Independent", "Address Dependent", "Address and Port Dependent")
_MAPPINGS = dict(zip(_WORDS, Mapping, strict=True))
_FILTERINGS = dict(zip(_WORDS, Filtering, strict=True))


class ProofError(RuntimeError):
    """Boxes do not behave as they were asked to; says what was asked for, and who found what."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What can be found out of all boxes before a host; None where it cannot."""

    udp_blocked: bool = False
    nat: bool = False
    mapping: Mapping | None = Mapping.EIM
    filtering: Filtering | None = Filtering.EIF
    hairpinning: bool | None = None
    lifetime_s: float | None = None
    """The shortest, where it is short enough to be proved."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What two clients found from a host, which is what was asked for."""

    host: str
    asked_for: Behaviour
    by_jamlab: Discovery
    by_coturn: Behaviour
    """Mapping, filtering and whether there is a NAT; it looks for nothing else."""


def asked_for(boxes: Sequence[Box]) -> Behaviour:
    """Return how boxes behave together.

    Parameters
    ----------
    boxes : sequence of NatType or FirewallType
        From the inside out.
    """
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
    """Look from several hosts at once how what stands before them behaves.

    It takes some seconds, and where a lifetime is short some more. Then all boxes that were looked
    at forget what passed.

    Parameters
    ----------
    lab : KernelLab
        Where to look.
    server : Coturn
        Whom to ask; with two addresses, on the lab's backbone.
    hosts : iterable of str
        Names of the hosts to look from.

    Raises
    ------
    ProofError
        Something does not behave as it should; one sentence for everything that is not right.
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
    """Look from each host on a thread of its own, which is inside the host's namespace."""
    stops: list[Future[None]] = [Future() for _ in asked]
    with ThreadPoolExecutor(max(1, len(asked))) as threads:
        try:
            looking = [
                threads.submit(_look, lab.host(name), server, behaviour, stop)
                for (name, behaviour), stop in zip(asked.items(), stops, strict=True)
            ]
            return tuple(look.result() for look in looking)
        finally:  # so that an interruption need not wait
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
    """Wait until tasks are over, cancelled but once: a second time would cut their clean-up off."""
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
    return told_by_coturn(printed.decode(errors="replace"))


def told_by_coturn(printed: str) -> Behaviour:
    """Return what ``turnutils_natdiscovery -m -f`` says; it says nothing when UDP is blocked."""
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
    """Yield a sentence for each client that did not find what was asked for."""
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
            f"the boxes before {proof.host!r} should have a lifetime of {asked_s:g} s, and "
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
        ", ".join(f"{name} {_shown(getattr(said, name))}" for name in names)
        for said in (proof.asked_for, found)
    )
    if asked_for != seen:
        yield f"the boxes before {proof.host!r} should have {asked_for}, and {client} found {seen}"


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
