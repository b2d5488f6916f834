"""A room of a signalling service that is some way off: everything said takes its time.

::

    participant ── half ── service ── half ── participant

A signal takes the whole way. Joining takes a round trip to the service, and the others hear of it
when the service's message has come to them. Nothing is lost or reordered.
"""

import asyncio

from jamlab.signaling.memory import MemoryChannel, MemoryMembership
from jamlab.signaling.messages import ChannelEvent, Signal


class DistantRoom(MemoryChannel):
    """A room in memory, with the time that a signal takes from one participant to another."""

    def __init__(self, signalling_s: float) -> None:
        super().__init__()
        self._signalling_s = signalling_s

    async def join(self, peer_id: str) -> MemoryMembership:
        """Join the room; raises NameTakenError if the name is taken."""
        await asyncio.sleep(self._signalling_s / 2)
        member = await super().join(peer_id)
        await asyncio.sleep(self._signalling_s / 2)
        return member

    def deliver(self, signal: Signal) -> None:
        """Deliver a signal to its target, if that is in the room by then."""
        loop = asyncio.get_running_loop()
        loop.call_later(self._signalling_s, super().deliver, signal)

    def _tell_all(self, event: ChannelEvent) -> None:
        loop = asyncio.get_running_loop()
        for member in self._members.values():
            loop.call_later(self._signalling_s / 2, member.hear, event)
