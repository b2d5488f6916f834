"""Starts the browsers of players: a process and an empty profile each, one page open.

Playwright drives them.
"""

import asyncio
import importlib.util
import os
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jamlab.browsers.engines import Setting, start
from jamlab.browsers.installed import Browser, BrowserError, installed
from jamlab.browsers.steps import words

_CLOSING_S = 10.0


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


def lacking(name: str = "") -> str | None:
    """Return why no browser of a name, or none at all, can be driven here; None where one can."""
    try:
        installed(name)
        check_driver()
    except BrowserError as error:
        return str(error)
    return None


def check_driver() -> None:
    """Raise `BrowserError` when Playwright, which drives the browsers, is not installed."""
    if importlib.util.find_spec("playwright") is None:
        raise BrowserError("Playwright drives the browsers: pip install 'jamlab[browser]'")


@asynccontextmanager
async def browsers(
    setting: Setting, players: Mapping[str, Mapping[str, str]], script: Callable[[str], str]
) -> AsyncIterator[list[PlayerBrowser]]:
    """Start a browser for each player, and end all when the context ends.

    `players` has the environment variables of each player's browser. `script` takes a player and
    returns the script that is run in every frame of its pages before their own. Raises
    `BrowserError`.
    """
    check_driver()
    from playwright.async_api import async_playwright  # an extra, and slow to import

    async with AsyncExitStack() as stack:
        managed = async_playwright()
        driver = await managed.__aenter__()
        stack.push_async_callback(_in_time, managed.__aexit__, None, None, None)
        root = Path(stack.enter_context(_folder()))
        contexts: list[Any] = []
        stack.push_async_callback(_in_time, _closed, contexts)
        started = []
        for number, (player, environment) in enumerate(players.items()):
            folder = root / str(number)
            folder.mkdir()
            its = replace(setting, browser=browser_of(setting, player, folder))
            context = await _started(driver, its, folder / "profile", environment)
            contexts.append(context)
            await context.add_init_script(script(player))
            started.append(PlayerBrowser(player, context.pages[0]))
        yield started


def _folder() -> TemporaryDirectory[str]:
    """Return a folder for browsers, which may still write to it when it is removed."""
    return TemporaryDirectory(prefix="jamlab-browser-", ignore_cleanup_errors=True)


async def _closed(contexts: Iterable[Any]) -> None:
    await asyncio.gather(*(each.close() for each in contexts), return_exceptions=True)


async def _in_time(closing: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
    """Close something, but not for ever.

    At SIGTERM the event loop cancels all tasks, the driver's own among them, and then the driver
    never answers. It ends with this process, and its browsers with it.
    """
    task = asyncio.ensure_future(closing(*arguments))  # it may not obey when it is cancelled
    await asyncio.wait((task,), timeout=_CLOSING_S)
    if task.done():
        await task


def browser_of(setting: Setting, player: str, folder: Path) -> Browser:
    """Return a player's browser; where it runs elsewhere, a script in a folder starts it there.

    Playwright talks to a browser over pipes, which the script hands on.
    """
    if player not in setting.within:
        return setting.browser
    script = folder / "browser"
    command = shlex.join(setting.within[player](setting.browser.path))
    script.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return replace(setting.browser, path=str(script))


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
        return await start(driver, setting, profile, {**os.environ, **environment})
    except Error as error:
        screen = "; a window needs a screen: leave out --visible" if setting.visible else ""
        raise BrowserError(
            f"{setting.browser.title} does not start: {words(error)}{screen}"
        ) from error
