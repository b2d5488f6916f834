"""The reference client, served on this machine: the application that is measured by default."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jamlab.resources import client_folder
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import Hub

_HERE = "127.0.0.1"


@asynccontextmanager
async def reference_client() -> AsyncIterator[str]:
    """Serve the reference client while the context lasts; yield its address for a `BrowserPlan`."""
    async with Hub(_HERE, site=Site(read_pages(client_folder()))) as hub:
        query = "?room=session-{session}&name={player}"
        yield f"{hub.page_at(_HERE)}{query}#key={hub.key}"


@asynccontextmanager
async def served(url: str) -> AsyncIterator[str]:
    """Yield an address, or that of the reference client where there is none."""
    if url:
        yield url
        return
    async with reference_client() as here:
        yield here
