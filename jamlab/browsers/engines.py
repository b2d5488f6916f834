"""How browsers of each engine are started, and what is changed from a user's browser."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jamlab.browsers.installed import Browser
from jamlab.process.child import Within

ARGUMENTS = (
    # Connections between two browsers of one machine, also where it has no other network.
    "--allow-loopback-in-peer-connection",
    # A microphone's permission shows real addresses; the instrument's microphone needs none.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    # Nobody clicks on the page, and its window is not in front.
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
)
"""Arguments for every browser of Chromium's engine, besides Playwright's own."""

_GRANTED = "--use-fake-ui-for-media-stream"
_DENIED = "--use-fake-device-for-media-stream"  # without a device, nothing would be asked

PREFERENCES = {
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
}
"""Preferences of every Firefox, with the meaning of `ARGUMENTS`."""


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
    microphone : bool
        Whether pages get the microphone without asking; otherwise it is denied.
    within : mapping of str to callable
        For a player whose browser runs elsewhere, e.g. in a network namespace, the function that
        wraps its command.
    """

    browser: Browser
    visible: bool = False
    arguments: Sequence[str] = ()
    microphone: bool = True
    within: Mapping[str, Within] = field(default_factory=dict)

    @property
    def changes(self) -> list[str]:
        """The arguments and preferences by which it differs from a user's browser."""
        if self.browser.name == "firefox":
            return [*(f"{name}={value}" for name, value in PREFERENCES.items()), *self.arguments]
        return [*ARGUMENTS, _GRANTED if self.microphone else _DENIED, *self.arguments]


async def start(driver: Any, setting: Setting, profile: Path, environment: dict[str, str]) -> Any:
    """Start a browser with a profile by Playwright's driver; return its context."""
    options = {
        "user_data_dir": str(profile),
        "artifacts_dir": str(profile.parent / "artifacts"),  # which the driver may leave behind
        "executable_path": setting.browser.path,
        "headless": not setting.visible,
        "ignore_https_errors": True,
        "env": environment,
        "timeout": 120_000,
        # Ctrl-C reaches the driver as well; it is this process that closes the browsers.
        "handle_sigint": False,
    }
    if setting.browser.name == "firefox":
        # Playwright drives an unchanged Firefox by WebDriver BiDi, under this name.
        return await driver.firefox.launch_persistent_context(
            **options,
            channel="moz-firefox",
            args=list(setting.arguments),
            firefox_user_prefs=PREFERENCES,
        )
    return await driver.chromium.launch_persistent_context(
        **options,
        args=setting.changes,
        ignore_default_args=["--mute-audio"],
        permissions=["microphone"] if setting.microphone else None,  # None: it asks
        bypass_csp=True,
    )
