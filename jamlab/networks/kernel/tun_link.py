"""A link between two network namespaces that delays, loses and slows packets as a value says.

::

    namespace "near"                 a process                  namespace "far"
      device ── TUN ──▶ Shaper (delay, jitter, loss, rate) ──▶ TUN ── device
             ◀── TUN ◀── Shaper, the other direction ◀── TUN ──

It is what the kernel's netem does where there is one, with the rules of the simulated internet's
links (`jamlab.networks.model.link`): jitter that never reorders, bursts of losses, a queue in
seconds.
"""

from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Any, Self

from jamlab.networks.kernel.shaper import DirectionReport
from jamlab.networks.kernel.tun import TunError
from jamlab.networks.model.link import LinkConfig
from jamlab.process.child import Child, ChildError


@dataclass(frozen=True, slots=True)
class TunEnd:
    """Where a link ends: a device of that name is made in a namespace of that name."""

    namespace: str
    device: str


@dataclass(frozen=True, slots=True)
class LinkReport:
    """What became of a link's packets."""

    up: DirectionReport
    """From the near end to the far one."""
    down: DirectionReport
    real_time: bool
    """Whether the process that carried them had real-time priority."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report for a record."""
        return asdict(self)


class TunLink:
    """A link at work while the context lasts; both devices are there on entering it, and down.

    Parameters
    ----------
    config : LinkConfig
        What it does, in each direction.
    near, far : TunEnd
        Its two ends, whose namespaces are there.
    seed : int
        The same seed, the same losses and jitters for the same packets.

    Raises
    ------
    TunError
        On entering the context: the devices cannot be made.
    """

    def __init__(self, config: LinkConfig, near: TunEnd, far: TunEnd, *, seed: int = 1) -> None:
        self.config = config
        self.near = near
        self.far = far
        self.report: LinkReport | None = None
        """What became of its packets, once the context has ended; None when that went wrong."""
        ends = {"near": (near.namespace, near.device), "far": (far.namespace, far.device)}
        task = {"config": asdict(config), "seed": seed, **ends}
        self._carrier = Child(f"the link {near.device}", "jamlab.networks.kernel.tun_carrier", task)
        self._real_time = False

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            carrier = stack.enter_context(self._carrier)
            try:
                self._real_time = carrier.receive()["real_time"]
            except ChildError as error:
                raise TunError(str(error)) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._stack, suppress(ChildError):
            found = self._carrier.finish()
            up, down = (DirectionReport(**found[way]) for way in ("up", "down"))
            self.report = LinkReport(up, down, self._real_time)
