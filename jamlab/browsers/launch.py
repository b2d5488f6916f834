"""Starts the browsers of players: a process and an empty profile each, one page open.

Playwright drives them. What is changed from a user's browser is listed in `ARGUMENTS`, and a
record names it.
"""

import importlib.util
import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jamlab.browsers.installed import Browser, BrowserError
from jamlab.browsers.steps import words

ARGUMENTS = (
    # Connections between two browsers of one machine, also where it has no other network.
    "--allow-loopback-in-peer-connection",
    # A microphone's permission shows real addresses; the instrument's microphone needs none.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-ui-for-media-stream",
    # Nobody clicks on the page, and its window is not in front.
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
"""Arguments for every browser, besides Playwright's own."""

_START_TIMEOUT_MS = 60_000


@dataclass(frozen=True)
class Setting:
    """The browser of the players, and how it is started.

    Parameters
    ----------
    browser : Browser
        The browser.
    visible : bool
        Whether it has a window.
    arguments : sequence of str
        Further arguments.
    """

    browser: Browser
    visible: bool = False
    arguments: Sequence[str] = ()


@dataclass
class PlayerBrowser:
    """A player's browser with one page.

    `page` is Playwright's; `faults` are the errors of the page and its crash, in order.
    """

    player: str
    page: Any
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.faults.append(words(error)))
        self.page.on("crash", lambda _: self.faults.append("the page crashed"))
        self.page.context.on("close", lambda _: self.faults.append("the browser was closed"))


def check_driver() -> None:
    """Raise `BrowserError` when Playwright, which drives the browsers, is not installed."""
    if importlib.util.find_spec("playwright") is None:
        raise BrowserError("Playwright drives the browsers: pip install 'jamlab[browser]'")


@asynccontextmanager
async def browsers(
    setting: Setting, players: Mapping[str, Mapping[str, str]], script: str
) -> AsyncIterator[list[PlayerBrowser]]:
    """Start a browser for each player, and end all when the context ends.

    `players` has the environment variables of each player's browser; `script` is run in every
    frame of every page before its own scripts. Raises `BrowserError`.
    """
    check_driver()
    from playwright.async_api import async_playwright  # an extra, and slow to import

    async with AsyncExitStack() as stack:
        driver = await stack.enter_async_context(async_playwright())
        started = []
        for player, environment in players.items():
            profile = Path(stack.enter_context(TemporaryDirectory(prefix="jamlab-browser-")))
            context = await _started(driver, setting, profile, environment)
            stack.push_async_callback(context.close)
            await context.add_init_script(script)
            started.append(PlayerBrowser(player, context.pages[0]))
        yield started


async def pictures(browsers: Iterable[PlayerBrowser], folder: Path) -> list[Path]:
    """Write a picture of every page to a folder; return those that could be taken."""
    from playwright.async_api import Error

    taken = []
    for each in browsers:
        path = folder / f"{each.player.replace(' ', '-')}.png"
        with suppress(Error, OSError):  # a page that crashed has no picture
            await each.page.screenshot(path=path)
            taken.append(path)
    return taken


async def _started(
    driver: Any, setting: Setting, profile: Path, environment: Mapping[str, str]
) -> Any:
    from playwright.async_api import Error

    try:
        return await driver.chromium.launch_persistent_context(
            str(profile),
            executable_path=setting.browser.path,
            headless=not setting.visible,
            args=[*ARGUMENTS, *setting.arguments],
            ignore_default_args=["--mute-audio"],
            permissions=["microphone"],
            bypass_csp=True,
            ignore_https_errors=True,
            env={**os.environ, **environment},
            timeout=_START_TIMEOUT_MS,
        )
    except Error as error:
        raise BrowserError(
            f"{setting.browser.title} does not start: {words(error)}"
            + ("; a window needs a screen: leave out --visible" if setting.visible else "")
        ) from error
