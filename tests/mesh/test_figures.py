"""The arithmetic of live figures, on readings whose figures are known."""

import dataclasses
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.mesh.connection.capture import Capture
from jamlab.mesh.connection.readings import NO_STREAM, Reading, RtcpReading, StreamReading
from jamlab.mesh.connection.timeline import Waits
from jamlab.mesh.figures import CANDIDATE_TYPES, STAGES, PeerMeter
from tests.mesh.readings import AFTER, BEFORE, changed


def figures_of(*readings):
    meter = PeerMeter()
    return [meter.read(reading) for reading in readings][-1]


class TestLatency:
    def test_each_stage(self):
        figures = figures_of(BEFORE)
        stages_ms = [getattr(figures, f"{stage}_s") * 1000 for stage in STAGES]
        assert stages_ms == pytest.approx([2.5, 28 / 48, 15.0, 4.0, 2.0, 2.5])
        assert figures.one_way_s == pytest.approx(sum(stages_ms) / 1000)

    def test_it_is_of_the_latest_reading(self):
        assert figures_of(BEFORE, AFTER).one_way_s == pytest.approx(
            (5 + 24 / 48 + 20 + 5 + 2.5 + 2.5) / 1000
        )

    @pytest.mark.parametrize(
        ("field", "unknown"),
        [
            ("round_trip_s", {"network_s"}),
            ("waits", {"playout_s", "card_s"}),
            ("frame_frames", {"frame_s", "capture_s"}),
        ],
    )
    def test_with_a_stage_unknown_so_is_the_sum(self, field, unknown):
        figures = figures_of(changed(BEFORE, **{field: None}))
        stages = {f"{stage}_s" for stage in STAGES}
        assert {stage for stage in stages if getattr(figures, stage) is None} == unknown
        assert figures.one_way_s is None

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({}, ""),
            ({"round_trip_s": None}, "no RTCP report has come back yet"),
            ({"frame_frames": None, "waits": None}, "no sound has arrived yet"),
            ({"waits": None}, "our sound card has not started yet"),
            ({"waits": None, "lag_s": 0.001}, "no packet arrived in time"),
            ({"waits": None, "lag_s": 0.406}, "the loop lagged by 406 ms"),
            ({"lag_s": 0.406}, ""),
        ],
    )
    def test_why_it_is_not_known(self, changes, reason):
        figures = figures_of(changed(BEFORE, **changes))
        assert figures.unknown == reason
        assert (figures.one_way_s is None) == bool(reason)

    def test_a_clock_that_was_set_back_makes_no_negative_network(self):
        """aiortc reads the wall clock for its round trips."""
        assert figures_of(changed(BEFORE, round_trip_s=-0.5)).network_s == 0

    def test_a_peer_without_a_stream_has_a_network(self):
        figures = figures_of(dataclasses.replace(BEFORE, stream=NO_STREAM))
        assert figures.network_s == 0.015
        assert figures.one_way_s is None


class TestShares:
    def test_of_the_interval_alone(self):
        """780 packets came and 20 did not; 1,920 frames of 96,000 were invented."""
        figures = figures_of(BEFORE, AFTER)
        assert figures.loss_share == pytest.approx(20 / 800)
        assert figures.concealed_share == pytest.approx(1920 / 96_000)

    def test_the_first_interval_has_none(self):
        figures = figures_of(BEFORE)
        rates = figures.sent_bit_s, figures.received_bit_s
        assert (figures.loss_share, figures.concealed_share, *rates) == (None,) * 4

    def test_an_interval_without_packets_has_none(self):
        figures = figures_of(BEFORE, changed(BEFORE, at_s=11.0))
        assert figures.loss_share is figures.concealed_share is None
        assert figures.sent_bit_s == figures.received_bit_s == 0

    def test_late_packets_make_up_for_lost_ones_of_before(self):
        late = changed(BEFORE, at_s=11.0, packets_received=1100, packets_lost=5)
        assert figures_of(BEFORE, late).loss_share == 0

    def test_all_lost(self):
        lost = changed(BEFORE, at_s=11.0, packets_lost=400)
        assert figures_of(BEFORE, lost).loss_share == 1

    def test_a_stream_that_began_anew_counts_nothing_negative(self):
        figures = figures_of(AFTER, changed(AFTER, at_s=13.0, played_frames=0, concealed_frames=0))
        assert figures.concealed_share is None


def test_repaired_is_what_came_only_as_copies_of_what_was_expected():
    """AFTER received 780 more packets than BEFORE, and lost 20 more."""
    figures = figures_of(BEFORE, changed(AFTER, recovered_packets=16))
    assert figures.repaired_share == 16 / 800
    assert figures_of(BEFORE, AFTER).repaired_share == 0
    assert not figures.is_redundant
    assert figures_of(dataclasses.replace(BEFORE, is_redundant=True)).is_redundant


class TestRates:
    def test_bits_a_second(self):
        figures = figures_of(BEFORE, AFTER)
        assert figures.sent_bit_s == 40_000 * 8 / 2
        assert figures.received_bit_s == 20_000 * 8 / 2

    def test_another_connection_begins_anew(self):
        replaced = changed(AFTER, connection=2, bytes_sent=100, packets_received=1)
        figures = figures_of(BEFORE, replaced)
        assert figures.sent_bit_s is figures.loss_share is None
        assert figures.connection == 2
        following = changed(replaced, at_s=13.0, bytes_sent=225, packets_received=2)
        assert figures_of(BEFORE, replaced, following).sent_bit_s == 1000

    def test_no_time_is_no_rate(self):
        assert figures_of(BEFORE, changed(AFTER, at_s=BEFORE.at_s)).sent_bit_s is None


class TestRoute:
    @pytest.mark.parametrize(
        ("local", "remote", "route"),
        [
            ("host", "host", "host"),
            ("host", "srflx", "srflx"),
            ("host", "prflx", "prflx"),
            ("prflx", "srflx", "srflx"),
            ("host", "relay", "relay"),
            ("relay", "srflx", "relay"),
            ("relay", "relay", "relay"),
        ],
    )
    def test_either_ends_relay_makes_it_relayed(self, local, remote, route):
        for ends in (local, remote), (remote, local):
            figures = figures_of(changed(BEFORE, candidates=ends))
            assert (figures.local_candidate, figures.remote_candidate) == ends
            assert figures.route == route

    def test_before_a_pair_is_selected_there_is_none(self):
        figures = figures_of(changed(BEFORE, candidates=None))
        assert figures.route is figures.local_candidate is figures.remote_candidate is None


def test_figures_are_values():
    figures = figures_of(BEFORE)
    assert figures == figures_of(BEFORE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        figures.at_s = 0.0


counts = st.integers(-(10**6), 10**9)
readings = st.builds(
    Reading,
    at_s=st.floats(0, 1e6),
    peer_id=st.just("ben"),
    connection=st.integers(1, 2),
    rtcp=st.builds(RtcpReading, st.none() | st.floats(-10, 10), counts, counts, counts, counts),
    stream=st.builds(
        StreamReading,
        counts,
        counts,
        st.none() | st.sampled_from([120, 240, 2880]),
        st.none() | st.builds(Waits, st.floats(0, 1), st.floats(0, 1)),
        lag_s=st.none() | st.floats(0, 10),
        recovered_packets=counts,
    ),
    capture=st.builds(Capture, st.integers(1, 48_000), st.integers(0, 48_000)),
    candidates=st.none() | st.tuples(*[st.sampled_from(CANDIDATE_TYPES)] * 2),
)


@given(st.lists(readings, min_size=1, max_size=10))
def test_whatever_was_counted(taken):
    meter = PeerMeter()
    for reading in taken:
        figures = meter.read(reading)
        for share in figures.loss_share, figures.repaired_share, figures.concealed_share:
            assert share is None or 0 <= share <= 1
        for rate in figures.sent_bit_s, figures.received_bit_s:
            assert rate is None or rate >= 0
        stages = [getattr(figures, f"{stage}_s") for stage in STAGES]
        assert bool(figures.unknown) == (None in stages)
        if None in stages:
            assert figures.one_way_s is None
        else:
            assert min(stages) >= 0
            assert figures.one_way_s == pytest.approx(math.fsum(stages))
