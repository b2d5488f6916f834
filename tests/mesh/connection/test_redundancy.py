"""The switch of redundancy against its rule, report by report, and on connections that lose."""

import asyncio
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.mesh.connection.redundancy import (
    HOLD_OFF_S,
    LONGEST_HOLD_OFF_S,
    OFF_SHARE,
    ON_SHARE,
    QUIET_S,
    TELLING_REPORTS,
    WINDOW_S,
    RedundancySwitch,
)
from jamlab.networks.model.link import LinkConfig
from jamlab.networks.model.topology import HostConfig, Topology, host_name
from jamlab.networks.simulated.internet import Internet
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from tests.examples import examples
from tests.mesh.jam import End

NAMES = ("ada", "ben")
PACKETS = 400  # a second


class Reports:
    """One report a second of a stream whose loss the test chooses."""

    def __init__(self):
        self.switch = RedundancySwitch()
        self.now_s = 0.0
        self.sent = self.lost = 0

    def report(self, share):
        """Pass a second in which a share was lost; return whether redundancy is on after it."""
        self.now_s += 1.0
        self.sent += PACKETS
        self.lost += round(share * PACKETS)
        self.switch.observe(self.now_s, self.sent, self.lost)
        return self.switch.on

    def until(self, on, share):
        """Return the seconds of a constant loss after which it is on or off."""
        for second in range(1, 10_000):
            if self.report(share) is on:
                return second
        return math.inf


@pytest.fixture
def reports():
    return Reports()


def test_without_loss_it_is_off(reports):
    assert not any(reports.report(0) for _ in range(100))


def test_with_one_percent_it_is_on_from_the_second_lossy_report(reports):
    reports.report(0)
    assert reports.until(True, 0.01) == 2
    assert all(reports.report(0.01) for _ in range(300))


def test_one_outage_is_no_reason(reports):
    reports.report(0)
    assert not reports.report(0.5)
    assert not any(reports.report(0) for _ in range(20))


def test_little_loss_is_no_reason(reports):
    """One packet in every third second: less than ON_SHARE."""
    assert 1 / (3 * PACKETS) < ON_SHARE
    assert not any(reports.report(0.0025 * (second % 3 == 0)) for second in range(300))


def test_it_is_off_when_nothing_was_lost_for_a_while(reports):
    reports.until(True, 0.01)
    reports.report(0.01)
    assert QUIET_S <= reports.until(False, 0) <= QUIET_S + WINDOW_S + 1


def test_between_the_two_shares_it_stays_as_it_is(reports):
    """One packet lost in two seconds, 0.125 %, is below one and above the other."""
    between = [0.0, 0.0025]
    assert OFF_SHARE < 1 / (2 * PACKETS) < ON_SHARE
    assert not any(reports.report(share) for share in between * 100)
    reports.until(True, 0.01)
    assert all(reports.report(share) for share in between * 100)


def test_it_is_off_soon_where_the_rate_is_too_much(reports):
    """The loss grows with redundancy and falls without it; each time it waits twice as long."""
    holds_s = []
    for _ in range(6):
        holds_s.append(reports.until(True, 0.01))
        assert reports.until(False, 0.2) == TELLING_REPORTS
    assert holds_s[0] < WINDOW_S
    expected_s = [min(HOLD_OFF_S * 2**k, LONGEST_HOLD_OFF_S) for k in range(5)]
    for hold_s, wanted_s in zip(holds_s[1:], expected_s, strict=True):
        assert wanted_s <= hold_s <= wanted_s + WINDOW_S + 2


def test_loss_that_grows_by_itself_turns_it_off_for_a_moment_only(reports):
    reports.until(True, 0.01)
    assert reports.until(False, 0.1) == TELLING_REPORTS
    assert reports.until(True, 0.1) <= WINDOW_S + 1
    assert all(reports.report(0.1) for _ in range(100))


def test_an_outage_does_not_turn_it_off(reports):
    reports.until(True, 0.01)
    assert all(reports.report(share) for share in [0.9, 0.9, 0.01, 0.01])


@examples(100)
@given(
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 800), st.integers(-20, 800)), max_size=80)
)
def test_any_counts_are_borne_and_it_never_turns_on_without_loss(steps):
    """Also none sent, fewer lost than before, more lost than sent, several reports at one time."""
    switch, now_s, sent, lost = RedundancySwitch(), 0.0, 0, 0
    for after_s, more_sent, more_lost in steps:
        now_s, sent, lost = now_s + after_s, sent + more_sent, lost + more_lost
        was_on = switch.on
        switch.observe(now_s, sent, lost)
        if switch.on and not was_on:
            assert more_lost > 0 or any(each > 0 for _, _, each in steps)
    assert len(switch._reports) <= len(steps)


async def jam(loss, seconds, change=lambda sdp: sdp, rate_bit_s=None):
    """Return whether two participants send copies, every second, and what they counted at last."""
    link = LinkConfig(delay_s=0.01, loss=loss, rate_bit_s=rate_bit_s)
    internet = Internet(Topology(tuple(HostConfig(host_name(name), link) for name in NAMES)))
    ends = {name: End(name) for name in NAMES}
    for end in ends.values():
        with internet.host(host_name(end.name)):
            await end.service.initialize_local_audio(end.card)
    ada, ben = ends.values()
    with internet.host(host_name("ada")):
        offer = await ada.service.create_offer("ben")
    with internet.host(host_name("ben")):
        answer = await ben.service.handle_offer("ada", {**offer, "sdp": change(offer["sdp"])})
    await ada.service.handle_answer("ben", answer)
    connections = ada.service._peers["ben"], ben.service._peers["ada"]
    redundant = []
    for _ in range(seconds):
        await asyncio.sleep(1.0)
        redundant.append([connection.track.is_redundant for connection in connections])
    counters = [ada.service.playout("ben").counters, ben.service.playout("ada").counters]
    await ada.service.close()
    await ben.service.close()
    return redundant, counters


def simulated(*arguments, **options):
    with simulated_world():
        return run_simulated(jam(*arguments, **options), seed=1)


@pytest.mark.slow
def test_two_participants_repair_what_is_lost_between_them():
    redundant, counters = simulated(0.05, 9)
    assert redundant[-1] == [True, True]
    for counted in counters:
        assert counted.recovered >= 3
        assert counted.duplicated == counted.corrupt == 0


def test_without_loss_there_are_no_copies():
    redundant, counters = simulated(0.0, 4)
    assert not np.any(redundant)
    assert [counted.recovered for counted in counters] == [0, 0]


def test_a_peer_without_redundancy_is_played_as_before():
    redundant, counters = simulated(0.02, 6, change=without_red)
    assert not np.any(redundant)
    for counted in counters:
        assert counted.recovered == 0
        assert counted.decoded > 100


@pytest.mark.slow
def test_where_the_network_cannot_carry_the_rate_it_is_given_up():
    """76 kbit/s with headers fit through 110, and 141 with redundancy do not."""
    redundant, _ = simulated(0.02, 25, rate_bit_s=110_000.0)
    for states in np.transpose(redundant):
        turned = np.flatnonzero(np.diff(states))
        assert len(turned) == 2
        assert turned[1] - turned[0] <= 15
        assert not states[-1]


def without_red(sdp):
    """Return a description as jamlab's were before it had redundant audio."""
    lines = [line for line in sdp.splitlines(keepends=True) if ":63 " not in line]
    without = "".join(lines).replace("SAVPF 96 63", "SAVPF 96")
    assert "red" not in without
    return without
