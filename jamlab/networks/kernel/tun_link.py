"""A link between two network namespaces with delay, jitter, loss and rate, made of TUN devices.

::

    namespace "near"                 a process                  namespace "far"
      device ── TUN ──▶ Shaper (delay, jitter, loss, rate) ──▶ TUN ── device
             ◀── TUN ◀── Shaper, the other direction ◀── TUN ──

It replaces the kernel's netem, which some machines lack, and has the rules of the simulated
networks' links (`jamlab.networks.model.link`): jitter without reordering, bursts of losses, a queue
in seconds.
"""

from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import Any, Self

from jamlab.networks.kernel.shaper import DirectionReport
from jamlab.networks.kernel.tun import TunError
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.packet_trace import data_of
from jamlab.process.child import Child, ChildError


@dataclass(frozen=True, slots=True)
class TunEnd:
    """An end of a link: the name of its device, and of the namespace in which to make it."""

    namespace: str
    device: str


@dataclass(frozen=True, slots=True)
class LinkReport:
    """Counts of a link's packets in both directions."""

    up: DirectionReport
    """From the near end to the far end."""
    down: DirectionReport
    real_time: bool
    """Whether the carrying process had real-time priority."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report for a record."""
        return asdict(self)


class TunLink:
    """A running link while the context lasts; on entry both devices exist and are down.

    Each direction has the values of `config`; up is the way from the near end. The ends' namespaces
    exist. Losses and jitter are the same for the same `seed` and packets. Raises `TunError` on
    entering the context if the devices cannot be made.
    """

    def __init__(self, config: LinkConfig, near: TunEnd, far: TunEnd, *, seed: int = 1) -> None:
        self.config = config
        self.near = near
        self.far = far
        self.report: LinkReport | None = None
        """Counts of its packets after the context has ended; None if its process failed."""
        ends = {"near": (near.namespace, near.device), "far": (far.namespace, far.device)}
        task = {"config": data_of(config), "seed": seed, **ends}
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
