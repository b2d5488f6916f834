"""Acceptance tests in virtual time, in which only the injected fault can go wrong."""

from jamlab.measure.acceptance.findings import LOOP_LAG, Finding
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.verdicts import BOUNDS, figure_verdicts
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from tests.measure.latency.records import record_of

NEAR = LinkConfig(delay_s=0.0002)


def on_lan(test, link=NEAR, **options):
    """Run a test of sound between machines on one simulated network."""

    async def main():
        hosts = (HostConfig(f"player-{number}", link) for number in (1, 2, 3))
        internet = Internet(Topology(tuple(hosts)))
        where = lambda name: internet.host(name.replace(" ", "-"))  # noqa: E731
        return await test(where=where, **options)

    with simulated_world():
        return run_simulated(main(), seed=1)


def record_with(*findings, **options):
    """A record of these findings' tests, with a good latency record."""
    tests = list(dict.fromkeys(finding.test for finding in findings))
    record = AcceptanceRecord.of_findings(tests, findings, failed=options.pop("failed", {}))
    return record.joined([], {}, latency=good_latency())


def judged(*findings):
    """The outcomes of a test's figures, by figure."""
    record = record_with(*findings)
    (test,) = record.tests
    verdicts = figure_verdicts(record, test)
    by_name = {v.name.removesuffix(")").split(" (")[0]: v.verdict.value for v in verdicts}
    assert len(by_name) == len(verdicts)
    return by_name


def values(finding, figure):
    """The values of a figure, by subject."""
    return {row[2]: row[3] for row in finding.figures if row[1] == figure}


def good_finding(test, lag_ms=0.5):
    """A finding whose figures are all on the right side of their bounds."""
    finding = Finding(test)
    for bound in BOUNDS[test]:
        for subject in ("player 1 → player 2", "player 2 → player 1"):
            finding.note(bound.figure, subject, bound.limit + (0.0 if bound.at_least else -0.05))
    finding.note(LOOP_LAG, "", lag_ms)
    return finding


def good_latency():
    return record_of(
        lambda *_: [11.0 + 0.01 * (k % 7) for k in range(100)],
        lambda *_: [23.0 + 0.01 * (k % 7) for k in range(100)],
    )


def whole_record(tests, **replaced):
    """A record of good findings of all these tests, with curves and events to draw."""
    return record_with(*(replaced.get(test) or drawn(good_finding(test)) for test in tests))


def drawn(finding):
    """Add what a figure of the test is drawn from."""
    scale = 1000.0 if finding.test == "two-users-on-one-network" else 0.25  # Hz, or seconds
    places = [scale * number for number in range(8)]
    panels = {
        "local-capture": {"levels": ("captured, left", "played by itself, left")},
        "two-users-on-one-network": {
            "player 1 → player 2": ("heard", "codec alone"),
            "player 2 → player 1": ("heard", "codec alone"),
        },
        "three-users-at-once": dict.fromkeys(NAMES, NAMES),
        "connection-blocked": dict.fromkeys(NAMES, NAMES),
        "different-networks": {
            "latency": ("home to home, player 1 → player 2", "symmetric, player 1 → player 2")
        },
    }
    for panel, series in panels.get(finding.test, {}).items():
        for number, name in enumerate(series):
            finding.draw(panel, name, places, [-20.0 - number] * len(places))
    finding.tell("notices", 1.5, "retrying <b>", who="player 1", peer="player 3", kind="retrying")
    finding.tell("notices", 0.5, "the firewall opens")
    return finding


NAMES = ("player 1", "player 2", "player 3")
