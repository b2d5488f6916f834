"""An end of a call that is a page of a browser, with a connection and no application."""

from asyncio import Queue
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from jamlab.ice.configuration import IceConfiguration

_SCRIPT = Path(__file__).with_suffix(".js")


class BrowserEnd:
    """One end of a call, in a page of its own."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._candidates: Queue[Mapping[str, Any] | None] = Queue()

    @classmethod
    async def opened(
        cls, context: Any, configuration: IceConfiguration, stack: AsyncExitStack
    ) -> "BrowserEnd":
        """Return an end in a new page of a browser, which is closed with the stack."""
        page = await context.new_page()
        stack.push_async_callback(page.close)
        end = cls(page)
        await page.expose_function("jamlabCandidate", end._candidates.put_nowait)
        script = _SCRIPT.read_text(encoding="utf-8").rstrip().removesuffix(";")
        await page.evaluate(script, configuration.page_configuration)
        return end

    async def call(self, step: str, argument: Any = None) -> Any:
        """Take a step of ``browser_end.js``."""
        return await self._page.evaluate(
            "([step, argument]) => window.jamlabEnd[step](argument)", [step, argument]
        )

    async def candidate(self) -> Mapping[str, Any] | None:
        """Wait for the next candidate for the peer (``RTCIceCandidateInit``)."""
        return await self._candidates.get()
