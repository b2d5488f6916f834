"""The delay that carrying adds, compared with delays set on this machine's kernel."""

import pytest

from jamlab.measure.across_networks import carrier_delay
from jamlab.measure.across_networks.carrier_delay import measure_added, one_way_s
from jamlab.networks.model.link import LinkConfig
from tests.networks.kernel.wires import needs_lab


def test_figures_are_what_is_beyond_the_cables_and_the_delay(monkeypatch):
    """Cables take 1 to 5 µs, a carried link 10 µs more, and one that delays by 20 ms 30 µs more."""
    cable = [1e-6, 2e-6, 3e-6, 4e-6, 5e-6]

    def readings(link, probes):
        more = {0.0: 0.0, 1e-9: 10e-6}.get(link.delay_s, link.delay_s + 30e-6)
        return [each + more for each in cable]

    monkeypatch.setattr(carrier_delay, "one_way_s", readings)
    added = measure_added(probes=5, delay_s=0.02)
    assert added.cable_median_s == pytest.approx(3e-6)
    assert added.carried_median_s == pytest.approx(10e-6)
    assert added.delayed_median_s == pytest.approx(30e-6)
    assert added.carried_p99_s == pytest.approx(10e-6 + 1.96e-6)
    assert added.least_s == pytest.approx(31e-6)
    assert added.to_dict()["delay_s"] == 0.02


@needs_lab
@pytest.mark.parametrize("delay_s", [0.0, 0.005])
def test_no_datagram_is_early(delay_s):
    times_s = one_way_s(LinkConfig(delay_s=delay_s), probes=20)
    assert len(times_s) == 40
    assert min(times_s) > delay_s


@needs_lab
def test_it_is_measured_both_ways_of_each(monkeypatch):
    added = measure_added(probes=10, delay_s=0.002)
    assert added.least_s > 0
    assert added.probes == 10
    assert 0 < added.cable_median_s <= added.cable_p99_s
    assert added.carried_median_s <= added.carried_p99_s
