"""Port allocation of a simulated NAT, for one public host and one transport."""

import math
import random
from collections.abc import Hashable
from dataclasses import dataclass

from jamlab.networks.model.nat_behaviour import PortAllocation
from jamlab.networks.model.packet import Address

LOWEST, HIGHEST = 1024, 65535
"""Outside ports of a NAT (RFC 4787 REQ-3a)."""

PORT_COUNT = HIGHEST - LOWEST + 1

NEVER_S = -math.inf
"""A time before all others."""


@dataclass(slots=True)
class Binding:
    """A mapping with its filter entries."""

    key: Hashable
    """Key of the outgoing packets that use it."""
    inside: Address
    outside: Address
    expires_s: float
    """When the mapping expires, unless it is refreshed."""
    admitted: dict[Hashable, float]
    """Filter entries: time of expiry by the filter's key of a remote address."""
    mapped_until_s: float = NEVER_S
    """Until when every source is admitted, because the inside host has asked for the mapping."""


class PortPool:
    """Choose free ports.

    A port is free when it has no binding or an expired one. `rng` chooses random ports, and the
    first of contiguous ports.
    """

    def __init__(self, allocation: PortAllocation, rng: random.Random) -> None:
        self.bindings: dict[int, Binding] = {}
        """Bindings by port, expired ones included."""
        self._preserve = allocation is PortAllocation.PRESERVE
        self._contiguous = allocation is PortAllocation.CONTIGUOUS
        self._rng = rng
        self._last: int | None = None
        self._none_free_before_s = -math.inf

    def choose(self, wanted: int, now_s: float) -> int | None:
        """Return a free port, None if none is; `wanted` is the inside port, for PRESERVE."""
        if self._exhausted(now_s):
            return None
        if self._preserve and LOWEST <= wanted <= HIGHEST and self._is_free(wanted, now_s):
            return wanted
        port = self._first_choice()
        while not self._is_free(port, now_s):
            port = _after(port)
        self._last = port
        return port

    def _first_choice(self) -> int:
        if self._contiguous and self._last is not None:
            return _after(self._last)
        return self._rng.randint(LOWEST, HIGHEST)

    def _is_free(self, port: int, now_s: float) -> bool:
        binding = self.bindings.get(port)
        return binding is None or binding.expires_s <= now_s

    def _exhausted(self, now_s: float) -> bool:
        if len(self.bindings) < PORT_COUNT:
            return False
        # A refresh only postpones an expiry, so the earliest one needs no update before it is due.
        if now_s >= self._none_free_before_s:
            self._none_free_before_s = min(held.expires_s for held in self.bindings.values())
        return now_s < self._none_free_before_s


def _after(port: int) -> int:
    return port + 1 if port < HIGHEST else LOWEST
