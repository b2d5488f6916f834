"""A link between two network namespaces that delays, loses and slows packets as a value says.

::

    namespace "near"                 a process                  namespace "far"
      device ── TUN ──▶ Shaper (delay, jitter, loss, rate) ──▶ TUN ── device
             ◀── TUN ◀── Shaper, the other direction ◀── TUN ──

It is what the kernel's netem does where there is one, with the rules of the simulated internet's
links (`jamlab.networks.model.link`): jitter that never reorders, bursts of losses, a queue in
seconds.
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

from jamlab.networks.kernel.shaper import DirectionReport
from jamlab.networks.kernel.tun import TunError
from jamlab.networks.model.link import LinkConfig

_PATIENCE_S = 20.0
"""How long a process that has little to do may take on a machine that has much."""


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
        self._seed = seed
        self._real_time = False

    def __enter__(self) -> Self:
        # In a session of its own: Ctrl-C is for the owner, who then ends the link.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jamlab.networks.kernel.tun_carrier"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            self._begin()
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise
        return self

    def _begin(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        ends = {"near": (self.near.namespace, self.near.device)}
        ends |= {"far": (self.far.namespace, self.far.device)}
        task = {"config": asdict(self.config), "seed": self._seed, **ends}
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        if not told:
            _, errors = self._process.communicate(timeout=_PATIENCE_S)
            raise TunError(_last_line(errors))
        self._real_time = json.loads(told)["real_time"]

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            told, _ = self._process.communicate(timeout=_PATIENCE_S)  # ends its standard input
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise
        if told:
            found = json.loads(told)
            up, down = (DirectionReport(**found[way]) for way in ("up", "down"))
            self.report = LinkReport(up, down, self._real_time)


def _last_line(errors: str) -> str:
    lines = errors.strip().splitlines() or ["the process that carries its packets ended"]
    return lines[-1].partition(": ")[2] or lines[-1]
