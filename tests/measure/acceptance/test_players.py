"""Recordings of acceptance tests' participants, on the simulated network and on real sockets."""

import asyncio

import numpy as np
import pytest
from scipy import stats

from jamlab.audio.card import Recording
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.acceptance.findings import Finding
from jamlab.measure.acceptance.players import (
    Listening,
    MeteredCard,
    all_connected,
    in_session,
    listen,
    note_notices,
)
from jamlab.measure.acceptance.record import AcceptanceRecord
from jamlab.measure.acceptance.sines import tone
from jamlab.mesh.notices import NoticeKind
from jamlab.networks.simulated.loop import run_simulated
from tests.leaks import until
from tests.measure.acceptance.runs import on_lan

NAMES = ("player 1", "player 2")


def test_a_metered_card_keeps_both_directions():
    captured, played = Recording(), Recording()
    card = MeteredCard(captured, played, block_frames=64)
    card.source = tone((997, 1499), -20)

    async def run():
        card.start(lambda block: 0.5 * block)
        await asyncio.sleep(0.1)
        card.stop()

    run_simulated(run())
    heard = captured.block(0, 640)
    np.testing.assert_array_equal(heard, card.source(0, 640))
    np.testing.assert_array_equal(played.block(card.round_trip_frames, 640), 0.5 * heard)


async def listened(where, frames=SAMPLE_RATE):
    async with in_session(NAMES, block_frames=256, where=where) as players:
        for player in players:
            player.card.source = tone((997, 997), -20)
        await all_connected(players)
        return players, await listen(players, frames)


def test_everybody_listens_for_as_long_as_asked():
    players, listening = on_lan(listened)
    for player in players:
        assert listening.heard(player).shape == (SAMPLE_RATE, 2)
        assert len(player.captured) > SAMPLE_RATE
    gained = listening.counted["player 1", "player 2"]
    assert 0 <= gained["card_blocks"] * 256 - SAMPLE_RATE <= 4 * 256
    assert listening.lag_ms == pytest.approx(0, abs=1e-6)
    assert listening.underrun_share("player 1", "player 2") == 0


def test_shares_are_of_what_was_due():
    counted = {"concealed_frames": 5, "played_frames": 95, "card_underruns": 1, "card_blocks": 4}
    listening = Listening({}, 100, {("a", "b"): counted}, 0.0)
    share = listening.concealed_share("a", "b", 1)
    exact = stats.binomtest(5, 100).proportion_ci(0.95, method="exact")
    assert share.value == 0.05
    assert (share.low, share.high) == pytest.approx((exact.low, exact.high))
    assert listening.underrun_share("a", "b") == 0.25
    nothing = Listening({}, 100, {("a", "b"): dict.fromkeys(counted, 0)}, 0.0)
    assert nothing.concealed_share("a", "b", 1).value == nothing.underrun_share("a", "b") == 0


async def test_sessions_on_real_sockets_leave_nothing(nothing_left):
    async with in_session(NAMES, block_frames=480) as players:
        await all_connected(players)
        await until(lambda: all(len(player.recording) > 4800 for player in players))


async def test_who_is_not_connected_is_named():
    async with in_session(NAMES) as players:
        with pytest.raises(TimeoutError, match=r"'player 1' has no connection to player 2 after"):
            await all_connected(players, within_s=0.0)


async def test_notices_are_noted_in_the_order_they_came():
    async with in_session(["ada", "ben"]) as players:
        for at, player in enumerate(reversed(players)):
            player.session._tell(NoticeKind.RETRYING, "x")
            assert len(player.notices) == 1
            assert at < 2
        finding = Finding("connection-blocked")
        note_notices(finding, "notices", players, players[1].notices[0].at_s)
    events = AcceptanceRecord.of_findings(["connection-blocked"], [finding], failed={}).events
    assert events["who"].tolist() == ["ben", "ada"]
    assert events["at_s"].is_monotonic_increasing
    assert events["words"].tolist() == [players[0].notices[0].text] * 2
    assert events["kind"].tolist() == ["retrying"] * 2


async def test_notices_of_other_kinds_are_left_out():
    async with in_session(["ada", "ben"]) as players:
        for kind in NoticeKind.HIGH_LATENCY, NoticeKind.RETRYING:
            players[0].session._tell(kind, "ben")
        finding = Finding("connection-blocked")
        note_notices(finding, "notices", players, 0.0, {NoticeKind.RETRYING})
    events = AcceptanceRecord.of_findings(["connection-blocked"], [finding], failed={}).events
    assert events["kind"].tolist() == ["retrying"]


def test_a_handful_of_packets_is_not_surely_over_half_a_percent():
    """Five of 804 packets, 0.62 %, failed "three users" on a busy machine, to the last digit."""
    counted = {"concealed_frames": 5 * 240, "played_frames": 799 * 240}
    share = Listening({}, 100, {("a", "b"): counted}, 0.0).concealed_share("a", "b", 240)
    assert share.low < 0.005 < share.value
