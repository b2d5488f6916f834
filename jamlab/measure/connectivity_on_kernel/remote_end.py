"""A proxy of an attempt's end (caller or callee) whose ICE agent is in another process."""

import asyncio
from functools import partial
from typing import Any

from aioice import Candidate

from jamlab.fields import read
from jamlab.measure.connectivity_on_kernel.end_messages import packed, pair, unpacked
from jamlab.measure.connectivity_on_kernel.remote_process import RemoteProcess


class RemoteEnd(RemoteProcess):
    """An `End` in another process."""

    async def offer(self) -> Any:
        """Gather candidates and return the offer."""
        return self.checked(unpacked, await self.call("offer"))

    async def answer(self, offer: Any) -> Any:
        """Gather candidates, begin the connectivity checks and return the answer."""
        return self.checked(unpacked, await self.call("answer", packed(offer)))

    async def accept(self, answer: Any) -> None:
        """Take the answer and begin the connectivity checks."""
        await self.call("accept", packed(answer))

    def connecting(self) -> "asyncio.Future[None]":
        """Return a future that is done once this end is connected, or fails with `AttemptError`."""
        return asyncio.ensure_future(self.call("connecting"))

    async def pair_count(self) -> int:
        """Return the number of candidate pairs in the checklist (RFC 8445 §6.1.2)."""
        return self.checked(partial(read, kind=int), await self.call("pair_count"))

    async def selected_pair(self) -> tuple[Candidate, Candidate]:
        """Return the selected pair, local and remote, once connected."""
        return self.checked(pair, await self.call("selected_pair"))
