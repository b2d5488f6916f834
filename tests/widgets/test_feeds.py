"""The meters' feeds: of a session on the simulated internet, and of test signals."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.levels import rms_dbfs
from jamlab.measure.acceptance.sines import tone
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.widgets.feeds import (
    INPUT,
    NO_CONNECTION,
    MeterRow,
    SessionFeed,
    SignalFeed,
    _together,
)
from tests.leaks import until
from tests.mesh.test_live import Pair


def simulated(make):
    with simulated_world():
        return run_simulated(make(), seed=1)


def test_rows_come_and_go_with_peers_and_say_state_route_and_latency():
    async def main():
        pair = Pair(0.020, 1.0)
        feed = SessionFeed(pair.ada)
        alone = MeterRow("ada", INPUT)
        assert feed.rows() == [alone]
        async with pair.there(pair.ada):
            feed.start()
            async with pair.there(pair.ben):
                await until(lambda: len(feed.rows()) == 2)
                assert feed.rows()[1].latency_ms is None
                await pair.ada.wait_connected(20, "ben")
                await until(lambda: feed.rows()[1].latency_ms)
                mine, bens = feed.rows()
                figures = pair.of_ben()[-1]
                assert mine == alone
                assert (bens.state, bens.route) == ("connected", "host")
                assert bens.latency_ms == pytest.approx(1000 * figures.one_way_s, abs=0.5)
                assert bens.latency_ms > 20
            await until(lambda: feed.rows() == [alone])
            feed.stop()
            feed.stop()

    simulated(main)


def test_what_is_heard_of_a_peer_is_what_it_played_and_of_us_what_we_send():
    async def main():
        pair = Pair(0.005, 1.0)
        feed = SessionFeed(pair.ada)
        async with pair.there(pair.ada), pair.there(pair.ben):
            await pair.ada.wait_connected(20, "ben")
            await asyncio.sleep(1)
            feed.start()
            await asyncio.sleep(1)
            sound = feed.take(["ada", "ben", "nobody"])
            assert sound.shape[1] == pytest.approx(48_000, abs=2 * 480)
            sent = pair.ada.card.source(10 * 48_000, 48_000)
            assert rms_dbfs(sound[0]) == pytest.approx(rms_dbfs(sent), abs=0.2)
            bens = pair.ben.card.source(0, 48_000)
            assert rms_dbfs(sound[1]) == pytest.approx(rms_dbfs(bens), abs=1)
            assert not sound[2].any()
            assert feed.take(["ada"]).shape[1] == 0
            feed.stop()

    simulated(main)


def test_who_is_in_the_room_without_a_connection_has_a_row():
    class Service:
        peers = frozenset()

    class Session:
        name, members, service = "ada", frozenset({"cleo", "ben"}), Service()

    rows = SessionFeed(Session()).rows()
    assert rows[1:] == [MeterRow("ben", NO_CONNECTION), MeterRow("cleo", NO_CONNECTION)]


def test_signals_come_and_go_and_sound_as_they_are():
    async def main():
        signals = {"one": tone((997.0, 997.0), -6.0)}
        feed = SignalFeed(signals)
        feed.start()
        await asyncio.sleep(1)
        first = feed.take(["one"])
        assert rms_dbfs(first[0]) == pytest.approx(-6, abs=0.1)
        signals["two"] = tone((997.0, 997.0), -20.0)
        assert [row.name for row in feed.rows()] == ["one", "two"]
        await asyncio.sleep(1)
        del signals["one"]
        second = feed.take(["two"])
        assert rms_dbfs(second[0]) == pytest.approx(-20, abs=0.1)
        feed.stop()
        feed.stop()
        await asyncio.sleep(1)
        assert feed.take(["two"]).shape[1] == 0
        assert abs(first.shape[1] - second.shape[1]) <= 480

    simulated(main)


@given(
    st.lists(st.tuples(st.integers(1, 50), st.sets(st.sampled_from("abc"), min_size=1)), max_size=8)
)
def test_blocks_go_one_after_the_other_and_gaps_are_silence(parts):
    blocks = [
        {name: np.full((frames, 2), number + 1, np.float32) for name in names}
        for number, (frames, names) in enumerate(parts)
    ]
    sound = _together(["a", "b", "c"], blocks)
    for row, name in enumerate("abc"):
        wanted = [
            number + 1 if name in names else 0
            for number, (frames, names) in enumerate(parts)
            for _ in range(frames)
        ]
        assert sound[row, :, 0].tolist() == wanted
        assert sound[row, :, 1].tolist() == wanted
