"""Records of browsers across networks, with chosen latencies and routes."""

from dataclasses import fields

from jamlab.measure.browser_networks.plan import BrowserNetworksPlan
from jamlab.measure.browser_networks.record import BrowserNetworkRecord
from jamlab.measure.latency.routes import DIRECT
from tests.measure.across_networks.kernel_records import ADDED, WAY
from tests.measure.browser.records import STREAM, browser_record, steady

PLAYERS = ("player 1", "player 2")


def network_record(
    latency_ms=80.0,
    *,
    number=0,
    network="same country",
    route=DIRECT,
    went="srflx",
    stream=STREAM,
    **observed,
):
    """Return a record of two players; `went` is what both ends say of their route."""
    plan = BrowserNetworksPlan(())
    made = browser_record(
        steady(latency_ms),
        sessions=1,
        plan=plan.on("http://198.18.0.1:4000/"),
        stream=stream,
        number=number,
        network=network,
        delay_s=0.016 if network else 0.0,
        route=route,
        routes={one: {other: went} for one, other in (PLAYERS, PLAYERS[::-1])},
        links={"player-1-network-1": {"up": WAY, "down": WAY, "real_time": True}},
        added=ADDED,
        no_netem=None,
        **observed,
    )
    return BrowserNetworkRecord(**{each.name: getattr(made, each.name) for each in fields(made)})
