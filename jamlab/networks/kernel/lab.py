"""Network lab: the topologies of the simulated internet, built of Linux network namespaces.

`jamlab.networks.kernel.wiring` plans namespaces and cables, `jamlab.networks.kernel.nftables` the
rules of the routers, and `jamlab.networks.kernel.namespace` calls the kernel. Processes inside a
host's namespace have its interfaces, ports and routes; the machine's own network is not changed.
"""

import itertools
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from jamlab.networks.kernel import namespace
from jamlab.networks.kernel.namespace import KernelLabError, unavailable
from jamlab.networks.kernel.nftables import mapped
from jamlab.networks.kernel.plan import Cable, Node
from jamlab.networks.kernel.tun_link import TunEnd, TunLink
from jamlab.networks.kernel.wiring import plan
from jamlab.networks.model.nat_behaviour import NatType
from jamlab.networks.model.topology import PERFECT, Topology, networks_around
from jamlab.process.signals import postponed, sigterm_unwinds

__all__ = ["KernelHost", "KernelLab", "KernelLabError", "unavailable"]

_serials = itertools.count()


@dataclass(frozen=True)
class KernelHost:
    """A host of a lab; the first of its IPv4 addresses is the default source."""

    name: str
    namespace: str
    addresses: tuple[str, ...]
    """Its IPv4 addresses."""
    ipv6_addresses: tuple[str, ...] = ()

    def command(self, *argv: str) -> list[str]:
        """Return a command that runs `argv` inside the namespace."""
        return ["nsenter", f"--net={namespace.NAMES / self.namespace}", "--", *argv]

    def enter(self) -> None:
        """Move the calling thread into the namespace for good; raises KernelLabError if gone."""
        namespace.enter(self.namespace)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Move the calling thread into the namespace while the context lasts.

        Sockets and processes that it opens there stay there. There must be no ``await`` inside the
        context, or other tasks would run in the namespace, too.
        """
        with namespace.inside(self.namespace):
            yield


class KernelLab:
    """A topology of network namespaces while the context lasts; needs root.

    The end of the context, also by an exception, Ctrl-C, SIGTERM or SIGHUP, removes all namespaces
    and kills the processes inside. The next lab removes the remains of killed processes. Several
    labs can run at the same time; `name` becomes a part of the namespaces' names.

    Raises `KernelRefusalError` if the kernel cannot behave like this topology. On entering the
    context, raises `KernelLabError` if a tool or a permission is missing, or the kernel refuses.
    """

    def __init__(self, topology: Topology, *, name: str | None = None) -> None:
        self.topology = topology
        self.plan = plan(topology)
        self._name = name or "lab"
        self.links: dict[str, TunLink] = {}
        """The impaired links, by the name of the host or network at the inner end."""
        self._spaces: list[str] = []
        self._stack = ExitStack()

    def host(self, name: str) -> KernelHost:
        """Return a host; raise KeyError when there is no such host."""
        try:
            place, addresses = self.plan.hosts[name]
        except KeyError:
            known = [*self.plan.hosts]
            raise KeyError(f"there is no host {name!r}: give one of {known}") from None
        if not self._spaces:
            raise KernelLabError("the lab is not built: use it as a context manager")
        return KernelHost(name, self._spaces[place], addresses, self.plan.ipv6[name])

    @property
    def hosts(self) -> tuple[KernelHost, ...]:
        """All hosts, in the topology's order."""
        return tuple(self.host(name) for name in self.plan.hosts)

    def boxes(self, network: str) -> tuple[str, ...]:
        """Return the namespaces of a network's boxes, from the inside out."""
        return tuple(self._spaces[place] for place in self.plan.boxes[network])

    def map_ports(self, host: str, ports: Iterable[int]) -> str | None:
        """Map UDP ports of a host at its own router, each to the same port outside.

        Everybody may then send to them, as after a request by UPnP-IGD or NAT-PMP, until `reboot`.
        Returns the outside address; None when the router maps no ports, or there is none.
        """
        around = networks_around(self.topology, host)
        for number, box in enumerate(around[0].boxes if around else ()):
            if isinstance(box, NatType) and box.port_mapping:
                place = self.plan.boxes[around[0].name][number]
                (public,) = [each.addresses[0] for each in self.plan.cables if each.inner == place]
                rules = mapped(self.host(host).addresses[0], public, ports)
                with namespace.inside(self._spaces[place]):
                    namespace.run("nft", "-f", "-", given=rules)
                return public
        return None

    def __enter__(self) -> Self:
        if reason := unavailable():
            raise KernelLabError(f"cannot build a network lab: {reason}")
        with ExitStack() as stack:
            stack.enter_context(sigterm_unwinds())
            stack.callback(self._remove)
            with postponed():
                namespace.remove(namespace.leftovers())
                self._build(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def reboot(self, network: str) -> None:
        """Clear the state of a network's boxes, like a power failure of its routers."""
        for place in self.plan.boxes[network]:
            with namespace.inside(self._spaces[place]):
                self._load(self.plan.nodes[place])
                namespace.run("conntrack", "--flush")

    def _build(self, stack: ExitStack) -> None:
        prefix = f"{namespace.own_prefix()}{next(_serials)}-{_word(self._name)}-"
        nodes = self.plan.nodes
        self._spaces = [f"{prefix}{n}-{_word(node.name)}" for n, node in enumerate(nodes)]
        namespace.run("ip", "-batch", "-", given="".join(self._outline()))
        for cable in self.plan.cables:
            if cable.link != PERFECT:
                self.links[cable.member] = stack.enter_context(self._link(cable))
        for place, (space, node) in enumerate(zip(self._spaces, nodes, strict=True)):
            with namespace.inside(space):
                namespace.configure(node.settings)
                self._load(node)
                commands = "".join(f"{line}\n" for line in self.plan.commands(place))
                namespace.run("ip", "-batch", "-", given=commands)

    def _outline(self) -> Iterator[str]:
        """Yield ``ip`` commands for the namespaces and the cables, not yet configured."""
        for space in self._spaces:
            yield f"netns add {space}\n"
        for cable in self.plan.cables:
            inner, outer = self._spaces[cable.inner], self._spaces[cable.outer]
            if cable.link == PERFECT:
                yield (
                    f"link add {cable.inner_end} netns {inner} type veth "
                    f"peer name {cable.outer_end} netns {outer}\n"
                )

    def _link(self, cable: Cable) -> TunLink:
        """Return the TUN link that replaces the cable of an impaired link."""
        near = TunEnd(self._spaces[cable.inner], cable.inner_end)
        far = TunEnd(self._spaces[cable.outer], cable.outer_end)
        return TunLink(cable.link, near, far, seed=zlib.crc32(cable.member.encode()))

    def _load(self, node: Node) -> None:
        if node.rules:
            namespace.run("nft", "-f", "-", given=f"flush ruleset\n{node.rules}")

    def _remove(self) -> None:
        doomed, self._spaces = self._spaces, []
        with postponed():
            namespace.remove(name for name in doomed if name in namespace.names())


def _word(text: str) -> str:
    """Return a text as a valid part of a file name."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text)[:24]
