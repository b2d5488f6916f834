"""The hub of a latency run on the kernel's network, as a child process in a namespace.

It is the server of ``jamlab serve``, with its web page.
"""

import asyncio

from jamlab.process.parent import ending_with_parent, receive, send
from jamlab.process.precise_loop import run_precisely
from jamlab.resources import client_folder
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import Hub


async def serve() -> None:
    """Serve the parent's task until the parent asks this process to finish."""
    task = receive()
    site = Site(read_pages(client_folder()), task["ice"])
    async with Hub(task["host"], key=task["key"], site=site) as hub:
        send({"hub": hub.url, "page": hub.page_at(hub.host)})
        await asyncio.to_thread(receive)
    send({"served": True})


def main() -> None:
    """Run the hub; the entry point of the process."""
    with ending_with_parent():
        run_precisely(serve())


if __name__ == "__main__":
    main()
