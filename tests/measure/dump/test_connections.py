import math

import pytest

from jamlab.measure.dump.connections import connections_table
from jamlab.measure.dump.layouts.trace import Event, PeerTrace, Trace, in_order

OFFER = Event(10.0, "createOffer", None)


def row(*events, resolution_s=0.001, **series):
    peer = PeerTrace("PC_0", events=list(events), series=series)
    trace = Trace("rtcstats", "Chrome", [PeerTrace(""), peer], resolution_s)
    return connections_table(trace, 9.0).iloc[0]


def state(at_s, kind, value):
    return Event(at_s, f"{kind}statechange", value)


def test_time_to_connect_is_from_the_first_description():
    about = row(Event(9.5, "create", {}), OFFER, state(10.64, "connection", "connected"))
    assert about["time_to_connect_s"] == pytest.approx(0.64)
    assert about["first_offer_s"] == 1.0
    assert about["begin_s"] == 0.5
    assert (about["connected"], about["negotiated"], about["failed"]) == (True, True, False)


@pytest.mark.parametrize(("at_s", "low", "high"), [(12.0, 1.0, 3.0), (10.0, 0.0, 1.0)])
def test_whole_seconds_make_it_an_interval(at_s, low, high):
    about = row(OFFER, state(at_s, "connection", "connected"), resolution_s=1.0)
    assert about["time_to_connect_low_s"] == low
    assert about["time_to_connect_high_s"] == high


def test_ice_tells_where_the_connection_does_not():
    """Firefox up to 112 and Chromium up to 71 have no state of the connection."""
    about = row(OFFER, state(11.0, "iceconnection", "ICEConnectionStateCompleted"))
    assert about["connected_s"] == 2.0
    assert about["ice_state"] == "completed"


def test_statistics_alone_tell_that_it_connected_not_when():
    transport = in_order("transport", [20.0], {"dtlsState": ["connected"]})
    about = row(T=transport)
    assert about["connected"]
    assert math.isnan(about["time_to_connect_s"])


@pytest.mark.parametrize("kind", ["iceconnection", "connection"])
def test_one_that_failed_did_not_connect(kind):
    about = row(OFFER, state(40.0, kind, "failed"))
    assert (about["connected"], about["failed"]) == (False, True)


def test_one_that_was_never_negotiated_was_not_tried():
    about = row(Event(9.5, "create", {}))
    assert (about["negotiated"], about["connected"], about["failed"]) == (False, False, False)


def test_without_connections_the_table_has_its_columns():
    table = connections_table(Trace("rtcstats", "", [], 0.001), 0.0)
    assert table.empty
    assert table["connected"].dtype == bool
