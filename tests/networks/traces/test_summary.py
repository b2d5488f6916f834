"""The figures of a trace, against numbers put in by hand."""

import json

import numpy as np
import pytest

from jamlab.networks.model.delivery import DeliveryTrace
from jamlab.networks.model.trace import DelayTrace
from jamlab.networks.traces.summary import summary_of


def figures(trace):
    return {each.what: (each.trace, each.model) for each in summary_of(trace).figures}


def test_has_the_traces_own_figures_and_the_models():
    """Two minutes of 4 ms with a stall of 300 ms every ten seconds, and one packet lost."""
    sent_s = np.arange(12_000) / 100
    until_s = (sent_s + 1e-9) % 10
    delay_s = 0.004 + np.where((sent_s > 5) & (until_s < 0.3), 0.3 - until_s, 0)
    delay_s[500] = np.nan
    found = figures(DelayTrace("t", sent_s, delay_s))
    assert found["length"] == (pytest.approx(120), None)
    assert found["packets"] == (12_000, None)
    assert found["lost"] == (pytest.approx(100 / 12_000), None)
    assert found["least delay"] == pytest.approx((4, 4), abs=0.01)
    assert found["median delay"] == pytest.approx((4, 4), abs=0.01)
    assert found["longest delay"] == pytest.approx((304, 304), abs=20)
    assert found["stalls a minute"] == pytest.approx((5.5, 5.5), rel=0.1)
    assert found["median stall"] == pytest.approx((300, 300), abs=10)


def test_a_network_without_stalls_has_none():
    found = figures(DelayTrace("t", np.arange(100) / 100, np.full(100, 0.004)))
    assert found["stalls a minute"] == (0, 0)
    assert found["median stall"] == (None, None)


def test_opportunities_have_the_delays_of_sound():
    summary = summary_of(DeliveryTrace("uplink", np.arange(1, 200) * 0.015))
    (note,) = summary.notes
    assert "250 bytes" in note
    assert {f.what: f.trace for f in summary.figures}["longest delay"] <= 15


def test_is_json():
    told = json.loads(json.dumps(summary_of(DeliveryTrace("u", np.arange(1, 99) / 50)).to_dict()))
    assert told["name"] == "u"
