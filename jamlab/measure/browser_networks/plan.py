"""The plan of a run of browsers across the kernel's networks: its cases and parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from jamlab.measure.across_networks.kernel import Case, kernel_cases
from jamlab.measure.across_networks.simulated import ACROSS_TARGET_MS
from jamlab.measure.browser.plan import BrowserPlan
from jamlab.measure.latency.plan import PlanError
from jamlab.media.quality import LOW_LATENCY, quality_named
from jamlab.networks.model.packet_trace import PacketTrace

ROOM = "lab"
JOIN_TIMEOUT_S = 90.0
"""Time for all players to be connected: where packets are lost, so are signals and checks."""


@dataclass(frozen=True)
class BrowserNetworksPlan:
    """Parameters of a run of browsers across networks, which play the reference client.

    Raises `PlanError`, which names parameter and range, when one is out of range, and
    `UnsupportedQualityError`.

    Parameters
    ----------
    cases : tuple of Case
        The networks to measure on, with one session each.
    peers : int
        Number of players, 2 to 6; each has a browser.
    quality : str
        Name of the quality at which every player sends.
    duration_s : float
        Length of the measurement of a case.
    settle_s : float
        Time for the browsers' buffers to adapt before.
    max_concealed_percent : float
        Limit of the share of a path's sound that is concealed.
    browser : str
        As in `BrowserPlan`, without Firefox.
    """

    cases: tuple[Case, ...]
    peers: int = 2
    quality: str = LOW_LATENCY.name
    duration_s: float = 12.0
    settle_s: float = 5.0
    max_concealed_percent: float = 0.5
    browser: str = ""

    def __post_init__(self) -> None:
        if self.browser == "firefox":
            raise PlanError(
                "browser is firefox, which gives no microphone to the lab's page: choose another"
            )
        self.on("http://localhost/")

    @property
    def players(self) -> list[str]:
        """The players' names."""
        return self.on("http://localhost/").players

    def on(self, page: str, key: str = "") -> BrowserPlan:
        """Return the plan of a case whose reference client is at an address."""
        quality = quality_named(self.quality).name.replace(" ", "-")
        return BrowserPlan(
            f"{page}?room={ROOM}&name={{player}}&quality={quality}#key={quote(key, safe='')}",
            peers=self.peers,
            browser=self.browser,
            duration_s=self.duration_s,
            settle_s=self.settle_s,
            sessions=1,
            join_timeout_s=JOIN_TIMEOUT_S,
            target_ms=ACROSS_TARGET_MS,
            max_concealed_percent=self.max_concealed_percent,
        )


def browser_networks_plan(
    profiles: Sequence[str] = (),
    peers: int = 2,
    duration_s: float = 12.0,
    browser: str = "",
    traces: Sequence[PacketTrace] = (),
) -> BrowserNetworksPlan:
    """Return a plan; without profiles and traces it has all profiles that replay nothing.

    Raises `PlanError` when a parameter is out of its range, and `UnknownProfileError`.

    Examples
    --------
    >>> [case.name for case in browser_networks_plan(["LAN"]).cases]
    ['no distance, direct', 'no distance, relayed', 'LAN, direct', 'LAN, relayed']
    """
    return BrowserNetworksPlan(
        kernel_cases(profiles, traces), peers=peers, duration_s=duration_s, browser=browser
    )
