"""Starts the browsers of players: a process and an empty profile each, one page open.

Playwright drives them.
"""

import asyncio
import importlib.util
import os
import shlex
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jamlab.browsers.engines import Setting, start
from jamlab.browsers.installed import INSTALL_DRIVER, Browser, BrowserError, installed
from jamlab.browsers.steps import words
from jamlab.process.temporary_folder import temporary_folder

_PAGE_CLOSED = "the page was closed, by its own script or by somebody"
_CLOSING_S = 10.0
_STARTING = 3  # browsers at once: each waits for its own processes most of the time
_LONGEST_FOLDER = 60  # Chromium's temporary files are sockets, too, of 107 characters at most
_REMOVALS = 300
_BETWEEN_REMOVALS_S = 0.1


@dataclass
class PlayerBrowser:
    """A player's browser.

    `page` is Playwright's, the first of its `pages`; `faults` are the errors of its pages, in
    order; `gone` says why there is no page any more, "" while there is.
    """

    player: str
    page: Any
    faults: list[str] = field(default_factory=list)
    gone: str = ""

    def __post_init__(self) -> None:
        context = self.page.context
        for page in context.pages:
            self._watch(page)
        context.on("page", self._watch)
        self.page.on("close", lambda _: self._lose(_PAGE_CLOSED))
        context.on("close", lambda _: self._lose("the browser crashed, or somebody closed it"))

    def _watch(self, page: Any) -> None:
        page.on("pageerror", lambda error: self.faults.append(words(error)))
        page.on("crash", lambda _: self._lose("the page crashed"))

    def _lose(self, why: str) -> None:
        if self.gone in ("", _PAGE_CLOSED):  # a browser that ends closes its pages first
            self.gone = why

    @property
    def pages(self) -> Sequence[Any]:
        """Playwright's pages: the first one and those that it opened."""
        return list(self.page.context.pages)


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
        raise BrowserError(
            f"Playwright, which drives the browsers, is not installed: {INSTALL_DRIVER}"
        )


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
    from playwright.async_api import Error  # an extra, and slow to import

    async with AsyncExitStack() as stack:
        # First, so that it is removed last: a browser writes until the driver has ended it.
        root = await stack.enter_async_context(_temporary_folder())
        driver = await stack.enter_async_context(_driver())
        contexts: list[Any] = []
        stack.push_async_callback(_in_time, _closed, contexts)
        started = list[PlayerBrowser]()
        try:
            for player, context in await _start_all(driver, setting, players, root, contexts):
                await context.add_init_script(script(player))
                started.append(PlayerBrowser(player, context.pages[0]))
            yield started
        except Error as error:
            raise BrowserError(_lost(started) or words(error)) from error


@asynccontextmanager
async def _driver() -> AsyncIterator[Any]:
    """Run Playwright's driver, which ends all its browsers with it.

    Its start is not cancelled half-way, which would leave its process, or wait for it for ever.
    """
    from playwright.async_api import async_playwright

    manager = async_playwright()
    starting = asyncio.ensure_future(manager.start())
    try:
        try:
            driver = await asyncio.shield(starting)
        except Exception as error:  # its faults have no type of their own
            raise BrowserError(
                f"Playwright's driver does not start ({words(error)}): "
                "pip install --force-reinstall playwright"
            ) from error
        yield driver
    finally:
        await asyncio.gather(starting, return_exceptions=True)
        # Also after a start in vain, to wait for the process, which may not have been there.
        with suppress(Exception):
            await _in_time(manager.__aexit__)


def _lost(browsers: Iterable[PlayerBrowser]) -> str:
    """Return which player's browser or page is gone, and why; "" when all are there."""
    return next((f"{each.player}: {each.gone}" for each in browsers if each.gone), "")


@asynccontextmanager
async def _temporary_folder() -> AsyncIterator[Path]:
    """Make a folder and remove it, also while a process that has been killed still writes."""
    with temporary_folder("browser") as folder:
        try:
            yield folder
        finally:
            for _ in range(_REMOVALS):
                if _remove(folder):
                    break
                await asyncio.sleep(_BETWEEN_REMOVALS_S)


def _remove(folder: Path) -> bool:
    """Remove a folder; return whether it is gone."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


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
        path = picture_of(each.player, folder)
        with suppress(Error, OSError):  # a page that crashed has no picture
            await each.page.screenshot(path=path)
            taken.append(path)
    return taken


def picture_of(player: str, folder: Path) -> Path:
    """Return the path of the picture of a player's page."""
    return folder / f"{player.replace(' ', '-')}.png"


async def _start_all(
    driver: Any,
    setting: Setting,
    players: Mapping[str, Mapping[str, str]],
    root: Path,
    contexts: list[Any],
) -> list[tuple[str, Any]]:
    """Start a browser for each player, a few at a time; note each context as soon as it is there.

    Returns the players with their contexts, in order.
    """
    at_once = asyncio.Semaphore(_STARTING)

    async def start_one(number: int, player: str) -> Any:
        folder = root / str(number)
        folder.mkdir()
        its = replace(setting, browser=browser_of(setting, player, folder))
        async with at_once:
            context = await _started(driver, its, folder, players[player])
        contexts.append(context)
        return context

    starting = (start_one(number, player) for number, player in enumerate(players))
    started = await asyncio.gather(*starting, return_exceptions=True)
    for each in started:
        if isinstance(each, BaseException):
            raise each
    return [*zip(players, started, strict=True)]


async def _started(
    driver: Any, setting: Setting, folder: Path, environment: Mapping[str, str]
) -> Any:
    """Start a browser whose profile and temporary files are in a folder."""
    from playwright.async_api import Error

    profile = folder / "profile"
    profile.mkdir()
    variables = {**os.environ, **environment}
    if len(str(folder)) < _LONGEST_FOLDER:
        variables["TMPDIR"] = str(folder)
    try:
        return await start(driver, setting, profile, variables)
    except Error as error:
        screen = "; a window needs a screen: leave out --visible" if setting.visible else ""
        raise BrowserError(
            f"{setting.browser.title} does not start: {words(error)}{screen}"
        ) from error
