"""The public side of a latency run on the kernel's network: the hub where players meet.

It is ``jamlab serve``, as a process in a namespace that its owner waits for and sends away.
"""

import json

from jamlab.measure.processes import orders, tell
from jamlab.process.precise_loop import run_precisely
from jamlab.signaling.hub.server import Hub


async def serve() -> None:
    """Serve as standard input says, until it ends."""
    async with orders() as lines:
        task = json.loads(await lines.readline())
        async with Hub(task["host"], key=task["key"]) as hub:
            tell({"hub": hub.url})
            await lines.read()
            tell({"served": True})


def main() -> None:
    """Run the hub; the process' entry."""
    run_precisely(serve())


if __name__ == "__main__":
    main()
