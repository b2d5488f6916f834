"""Links and their traces on the way to another process, as JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from jamlab.networks.model.delivery import DeliveryTrace
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.packet_trace import data_of, delays_of, link_of
from jamlab.networks.model.trace import DelayTrace

DELAYS = DelayTrace("d", np.arange(12) / 7, np.array([np.nan, *np.arange(11) / 3]), absolute=True)
DELIVERIES = DeliveryTrace("o", np.array([0.001, 0.005]), queue_bytes=3000)


def sent(link):
    return link_of(json.loads(json.dumps(data_of(link))))


def test_a_link_without_a_trace_is_the_same_there():
    link = LinkConfig(delay_s=0.01, jitter_s=0.003, loss=0.1, rate_bit_s=1e6)
    assert sent(link) == link


@pytest.mark.parametrize("trace", [DELAYS, DELIVERIES])
def test_a_trace_is_the_same_there(trace):
    link = LinkConfig(delay_s=0.01, trace=trace, trace_once=True)
    there = sent(link)
    assert replace(there, trace=None) == replace(link, trace=None)
    assert type(there.trace) is type(trace)
    for name, value in vars(trace).items():
        if name in ("sent_s", "delay_s", "opportunities_s", "queue_bytes", "absolute", "name"):
            assert np.array_equal(getattr(there.trace, name), value, equal_nan=name == "delay_s")


def test_every_trace_has_delays():
    assert delays_of(DELAYS) is DELAYS
    every_20_ms = DeliveryTrace("o", np.arange(1, 51) / 50)
    assert delays_of(every_20_ms).delay_s.max() == pytest.approx(0.02)
