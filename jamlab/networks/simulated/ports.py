"""The ports of one public host of a NAT for one transport, and what they are bound to."""

import math
import random
from collections.abc import Hashable
from dataclasses import dataclass

from jamlab.networks.model.nat_behaviour import PortAllocation
from jamlab.networks.model.packet import Address

LOWEST, HIGHEST = 1024, 65535
"""The ports a NAT gives out (RFC 4787 REQ-3a)."""

PORT_COUNT = HIGHEST - LOWEST + 1


@dataclass(slots=True)
class Binding:
    """One mapping in force, with the filter entries made through it."""

    key: Hashable
    """What the packets that use it have in common."""
    inside: Address
    """Where it leads."""
    outside: Address
    """Where its packets seem to come from."""
    expires_s: float
    """When it ends, unless it is refreshed."""
    admitted: dict[Hashable, float]
    """Until when whom to let in, in seconds, by what the filter remembers of an address."""


class PortPool:
    """Choose free ports.

    A port is free when it has no binding or an expired one. No time is spent on expired bindings
    before their port is wanted.

    Parameters
    ----------
    allocation : PortAllocation
        How to choose.
    rng : random.Random
        Where random ports, and the first of contiguous ones, come from.
    """

    def __init__(self, allocation: PortAllocation, rng: random.Random) -> None:
        self.bindings: dict[int, Binding] = {}
        """By port, the expired ones among them."""
        self._preserve = allocation is PortAllocation.PRESERVE
        self._contiguous = allocation is PortAllocation.CONTIGUOUS
        self._rng = rng
        self._last: int | None = None
        self._none_free_before_s = -math.inf

    def choose(self, wanted: int, now_s: float) -> int | None:
        """Return a port that is free, or None when none is.

        Parameters
        ----------
        wanted : int
            The inside port, for an allocation that preserves it.
        now_s : float
            The time in seconds.
        """
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
        # Refreshing only puts an end off, so until the earliest of them there is no need to look.
        if now_s >= self._none_free_before_s:
            self._none_free_before_s = min(held.expires_s for held in self.bindings.values())
        return now_s < self._none_free_before_s


def _after(port: int) -> int:
    return port + 1 if port < HIGHEST else LOWEST
