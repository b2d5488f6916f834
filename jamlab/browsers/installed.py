"""Browsers that are installed on this machine, and their versions."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

OLDEST_MAJOR = {"chromium": 110, "chrome": 110, "edge": 110, "firefox": 128}
"""Oldest major version of each browser whose pages the instrument fits."""

INSTALL = "apt-get install chromium"
"""The line that installs a browser on Debian."""

INSTALL_DRIVER = "in jamlab's checkout, .venv/bin/pip install -e '.[browser]'"
"""The line that installs Playwright; jamlab itself is not on the package index."""

_COMMANDS = {
    "chromium": ("chromium", "chromium-browser"),
    "chrome": ("google-chrome", "google-chrome-stable"),
    "edge": ("microsoft-edge", "microsoft-edge-stable"),
    "firefox": ("firefox", "firefox-esr"),
}
NAMES = tuple(_COMMANDS)
"""Names of the browsers that can be driven, in the order of preference."""

_VERSION = re.compile(r"(\d+)(?:\.\d+)+")
_ANSWER_S = 30.0


class BrowserError(RuntimeError):
    """Raised when a browser cannot be found, started or used; says what to do."""


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser of this machine.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    path : str
        Path of its program.
    version : str
        Its version, e.g. ``"156.0.8078.73"``.
    """

    name: str
    path: str
    version: str

    @property
    def title(self) -> str:
        """Its name and version for the reader."""
        return f"{self.name.capitalize()} {self.version}"


def installed(name: str = "", which: Callable[[str], str | None] = shutil.which) -> Browser:
    """Return the browser of a name, or without one the first of `NAMES` that is installed.

    `which` finds a program's path. Raises `BrowserError` when there is no such browser, or it is
    too old.
    """
    if name and name not in _COMMANDS:
        raise BrowserError(f"there is no browser {name!r} to drive: choose {', '.join(NAMES)}")
    for each in (name,) if name else NAMES:
        path = next(filter(None, map(which, _COMMANDS[each])), None)
        if path is not None:
            return _checked(Browser(each, path, version_of(path)))
    wanted = name or "Chromium, Chrome, Edge or Firefox"
    raise BrowserError(f"{wanted} is not installed here: {INSTALL}")


def version_of(path: str) -> str:
    """Return the version that a browser's program prints; raises `BrowserError` without one."""
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, timeout=_ANSWER_S, check=False
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrowserError(f"{path} does not start ({error}): reinstall it") from error
    found = _VERSION.search(answer)
    if found is None:
        raise BrowserError(f"{path} prints no version, but {answer[:80]!r}: reinstall it")
    return found[0]


def _checked(browser: Browser) -> Browser:
    oldest = OLDEST_MAJOR[browser.name]
    if int(browser.version.split(".")[0]) < oldest:
        raise BrowserError(f"{browser.title} is too old: install version {oldest} or a later one")
    return browser
