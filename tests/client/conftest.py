"""The reference client in Chromium, at a hub in this process."""

import importlib.util
import shutil
from contextlib import asynccontextmanager

import pytest

from jamlab.browsers.installed import INSTALL_DRIVER
from jamlab.resources import client_folder
from jamlab.signaling.hub.pages import Site, read_pages
from jamlab.signaling.hub.server import Hub

KEY = "sb_test_key_77"
TIMEOUT_MS = 30_000

_FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no other machine is there
    "--use-fake-device-for-media-stream",
    "--allow-loopback-in-peer-connection",  # as jamlab's own, where there is no other address
)


class Player:
    """The page of one participant.

    Attributes
    ----------
    page : playwright.async_api.Page
    complaints : list of str
        Uncaught errors, and errors on the console, such as violations of the page's policy.
    """

    def __init__(self, page):
        self.page = page
        self.complaints = []
        self.requests = []
        page.set_default_timeout(TIMEOUT_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._note)
        page.on("request", lambda request: self.requests.append(request.url))

    def _note(self, message):
        if message.type == "error":
            self.complaints.append(message.text)

    async def run(self, script, argument=None):
        """Evaluate a function of the session and an argument."""
        return await self.page.evaluate(f"x => ({script})(document.body.jamSession, x)", argument)

    async def until(self, script, argument=None):
        """Wait until a function of the session and an argument is true."""
        condition = f"x => document.body.jamSession && ({script})(document.body.jamSession, x)"
        await self.page.wait_for_function(condition, arg=argument)

    async def connected(self, peer):
        await self.until("(jam, peer) => jam.state(peer).isConnected", peer)

    async def hears(self, peer):
        """Wait until a peer's sound is in the mix."""
        heard = "(jam, peer) => Math.max(...jam.service.graph.peer(peer).tap.peaks()) > 0.01"
        await self.until(heard, peer)


@pytest.fixture
async def hub():
    async with Hub(key=KEY, site=Site(read_pages(client_folder()))) as hub:
        yield hub


@pytest.fixture
async def chromium():
    if shutil.which("chromium") is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    if importlib.util.find_spec("playwright") is None:
        pytest.skip(f"there is no Playwright: {INSTALL_DRIVER}")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_FLAGS
        )
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture
def opened(chromium):
    """Return a context manager that opens a participant's page."""

    @asynccontextmanager
    async def open_(hub, name, room="jam", microphone=True, query="", prepare=None):
        base = hub.page_at("127.0.0.1")
        context = await chromium.new_context(ignore_https_errors=True)
        if microphone:
            await context.grant_permissions(["microphone"], origin=base)
        if prepare is not None:
            await prepare(context)
        try:
            player = Player(await context.new_page())
            # the name is typed, so that the address has no characters to escape
            await player.page.goto(f"{base}?room={room}{query}#key={KEY}")
            await player.page.get_by_label("Your name").fill(name)
            await player.page.get_by_role("button", name="Join").click()
            yield player
        finally:
            await context.close()

    return open_
