"""The public side of a latency run on the kernel's network: the hub where players meet.

It is the server of ``jamlab serve`` as a child process in a namespace.
"""

import asyncio

from jamlab.process.parent import ending_with_parent, receive, send
from jamlab.process.precise_loop import run_precisely
from jamlab.signaling.hub.server import Hub


async def serve() -> None:
    """Serve as the parent says, until it wants this process to finish."""
    task = receive()
    async with Hub(task["host"], key=task["key"]) as hub:
        send({"hub": hub.url})
        await asyncio.to_thread(receive)
    send({"served": True})


def main() -> None:
    """Run the hub; the process' entry."""
    with ending_with_parent():
        run_precisely(serve())


if __name__ == "__main__":
    main()
