"""Made-up records of the kernel's network, with chosen latencies and routes."""

from jamlab.measure.across_networks.kernel_record import KernelRecord
from jamlab.measure.latency.plan import LatencyPlan
from jamlab.measure.latency.routes import DIRECT
from tests.measure.live_mesh.reports import Mesh, a_request
from tests.measure.live_mesh.simulated_mesh import clock

PLAYERS = ("player 1", "player 2")
WAY = {
    "sent": 5000,
    "lost": 5,
    "dropped": 1,
    "duplicated": 0,
    "reordered": 0,
    "refused": 0,
    "late_median_s": 30e-6,
    "late_p99_s": 90e-6,
    "late_max_s": 700e-6,
}
ADDED = {
    "cable_median_s": 7e-6,
    "cable_p99_s": 10e-6,
    "carried_median_s": 40e-6,
    "carried_p99_s": 88e-6,
    "delayed_median_s": 159e-6,
    "delayed_p99_s": 276e-6,
    "least_s": 95e-6,
    "delay_s": 0.01,
    "probes": 200,
}


def mesh_of(latency_ms, delay_ms, clicks=100):
    """One clock for all, as on one machine."""
    return Mesh(
        dict.fromkeys(PLAYERS, clock()),
        lambda a, b: latency_ms(a, b) / 1000,
        lambda a, b: delay_ms / 1000,
        a_request(PLAYERS, clicks),
    )


def kernel_record(
    latency_ms=30.0,
    delay_ms=16.0,
    *,
    number=0,
    network="same country",
    route=DIRECT,
    went="srflx",
    links=("player-1-network-1", "player-2-network-1"),
    clicks=100,
    no_netem="this kernel has none",
):
    chosen = latency_ms if callable(latency_ms) else lambda a, b: latency_ms
    mesh = mesh_of(chosen, delay_ms, clicks).record()
    mesh.provenance["parameters"] |= LatencyPlan().to_dict()
    mesh.provenance.update(
        number=number,
        network=network,
        delay_s=delay_ms / 1000,
        route=route,
        routes={one: {other: went for other in PLAYERS if other != one} for one in PLAYERS},
        links={name: {"up": WAY, "down": WAY, "real_time": True} for name in links},
        added=ADDED,
        no_netem=no_netem,
    )
    return KernelRecord.of(mesh)
