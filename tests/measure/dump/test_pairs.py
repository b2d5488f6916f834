import numpy as np
import pytest

from jamlab.measure.dump.layouts.trace import PeerTrace, in_order
from jamlab.measure.dump.pairs import DIRECT, RELAYED, round_trip, selected_pairs

TIMES = [10.0, 11.0, 12.0, 13.0]


def candidate(kind, protocol="udp", relay=""):
    columns = {
        "candidateType": [kind] * 4,
        "protocol": [protocol] * 4,
        "relayProtocol": [relay] * 4,
    }
    return in_order("local-candidate", TIMES, columns)


def pair(local, remote, **columns):
    ends = {"localCandidateId": [local] * 4, "remoteCandidateId": [remote] * 4}
    return in_order("candidate-pair", TIMES, ends | columns)


def peer(**series):
    return PeerTrace("PC_0", series=series)


BOTH = {
    "host": candidate("host"),
    "far": candidate("prflx"),
    "turn": candidate("relay", relay="tls"),
    "a": pair("host", "far", currentRoundTripTime=[0.1, 0.2, 0.3, 0.4]),
    "b": pair("turn", "far", currentRoundTripTime=[1.1, 1.2, 1.3, 1.4]),
}


def test_the_transport_names_the_pair_and_when_it_changes():
    transport = in_order("transport", TIMES, {"selectedCandidatePairId": [None, "a", "b", "b"]})
    first, second = selected_pairs(peer(T=transport, **BOTH))
    assert (first.at_s, first.route, first.words) == (11.0, DIRECT, "host → prflx, udp")
    assert (second.at_s, second.route) == (12.0, RELAYED)
    assert second.words == "relay → prflx, udp over tls to the relay"


def test_the_round_trip_is_that_of_the_pair_of_the_time():
    transport = in_order("transport", TIMES, {"selectedCandidatePairId": ["a", "a", "b", "b"]})
    times, round_trips = round_trip(peer(T=transport, **BOTH))
    np.testing.assert_array_equal(times, TIMES)
    np.testing.assert_array_equal(round_trips, [0.1, 0.2, 1.3, 1.4])


@pytest.mark.parametrize(
    "says",
    [
        {"selected": [False, True, True, True]},
        {"nominated": [True] * 4, "state": ["in-progress", "succeeded", "succeeded", "succeeded"]},
    ],
)
def test_without_a_transport_the_pair_says_so(says):
    (found,) = selected_pairs(peer(a=pair("host", "far", **says), host=BOTH["host"]))
    assert (found.at_s, found.local, found.remote, found.route) == (11.0, "host", "", "")


def test_a_pair_without_statistics_is_unknown():
    transport = in_order("transport", TIMES, {"selectedCandidatePairId": ["gone"] * 4})
    (found,) = selected_pairs(peer(T=transport))
    assert found.route == ""
    assert len(round_trip(peer(T=transport))[0]) == 0
