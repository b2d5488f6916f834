"""The meters without a browser: their messages, update times and cleanup."""

import asyncio
import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.card import no_sound
from jamlab.audio.signals import clipped
from jamlab.measure.acceptance.sines import tone
from jamlab.mesh.session import JamSession
from jamlab.networks.simulated.loop import run_simulated
from jamlab.networks.simulated.world import simulated_world
from jamlab.signaling.memory import MemoryChannel
from jamlab.widgets import LevelMeters
from tests.mesh.test_live import Pair

AES_TONE = tone((997.0, 997.0), -6.0)


@pytest.fixture
def made():
    """Make meters whose messages are kept, and close them."""
    every = []

    def make(*args, **options):
        meters = LevelMeters(*args, **options)
        meters.told = []
        meters.send = lambda content, buffers=None: meters.told.append((content, buffers))
        every.append(meters)
        return meters

    yield make
    for meters in every:
        meters.close()


def simulated(coroutine):
    return run_simulated(coroutine, seed=1)


async def play(meters, seconds):
    meters.start()
    await asyncio.sleep(seconds)


def levels_of(message):
    """Return names, and peak, RMS, hold and clip of each of their channels."""
    content, (packed, *_) = message
    return content["names"], np.frombuffer(packed, "<f4").reshape(-1, 2, 4)


def test_a_known_level_goes_out_30_times_a_second(made):
    meters = made(signals={"sine": AES_TONE, "too loud": clipped(tone((440.0, 440.0), 3.0))})
    simulated(play(meters, 2.001))
    assert len(meters.told) == pytest.approx(60, abs=2)
    names, levels = levels_of(meters.told[-1])
    assert names == ("sine", "too loud")
    assert levels[0, :, :3] == pytest.approx(-6.0, abs=0.1)
    assert levels[1, :, 0] == pytest.approx(0.0, abs=0.1)
    assert levels[:, :, 3].tolist() == [[0, 0], [1, 1]]
    assert meters.levels.rms_dbfs[0] == pytest.approx([-6, -6], abs=0.1)


def test_nothing_goes_out_while_nothing_moves_but_who_asks_is_told(made):
    meters = made(signals={"silence": no_sound})
    simulated(play(meters, 1.0))
    assert len(meters.told) == 1
    meters._hear(None, {"kind": "ready"}, [])
    meters.update()
    assert len(meters.told) == 2


def test_rows_follow_the_signals(made):
    signals = {"one": AES_TONE}
    meters = made(signals=signals)
    assert [row["name"] for row in meters.rows] == ["one"]
    signals["two"] = no_sound
    meters.update()
    assert [row["name"] for row in meters.rows] == ["one", "two"]
    del signals["one"]
    meters.update()
    assert meters.names == ("two",)
    assert meters.levels.peak_dbfs.shape == (1, 2)


def test_a_front_end_resets_one_or_all_and_nonsense_does_nothing(made):
    loud = clipped(tone((440.0, 440.0), 6.0))
    signals = {"one": loud, "two": loud}
    meters = made(signals=signals)
    simulated(play(meters, 0.2))
    meters.stop()
    for nonsense in ({}, {"kind": "reset"}, {"kind": "reset", "name": 7}, {"kind": "explode"}, "?"):
        meters._hear(None, nonsense, [])
    meters._hear(None, {"kind": "reset", "name": "nobody"}, [])
    assert meters._meters.read(np.zeros((2, 0, 2), dtype=np.float32)).clipped.all()
    meters._hear(None, {"kind": "reset", "name": "one"}, [])
    meters.update()
    assert meters.levels.clipped.tolist() == [[False] * 2, [True] * 2]
    meters._hear(None, {"kind": "reset", "name": ""}, [])
    meters.update()
    assert not meters.levels.clipped.any()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["kind", "name", "other"]), ANYTHING) | ANYTHING)
def test_no_message_does_harm(content):
    meters = LevelMeters(signals={"silence": no_sound})
    meters._hear(None, content, [])
    meters.update()
    assert meters.names == ("silence",)
    meters.close()


def test_a_spectrum_goes_along_while_it_is_wanted(made):
    meters = made(signals={"sine": tone((1500.0, 1500.0), -6.0)})
    meters._hear(None, {"kind": "spectrum", "name": "sine"}, [])
    simulated(play(meters, 1.0))
    _, (_, spectrum) = meters.told[-1]
    bins = np.frombuffer(spectrum, "<f4")
    assert np.argmax(bins) == 64  # 1500 Hz over 23.4375 Hz
    assert bins[64] == pytest.approx(-6 - 13.56, abs=0.1)
    meters._hear(None, {"kind": "spectrum", "name": ""}, [])
    meters._shown = ()
    meters.update()
    assert len(meters.told[-1][1]) == 1


def test_when_a_card_stops_the_meters_fall(made):
    meters = made(signals={"sine": AES_TONE})

    async def main():
        await play(meters, 1.0)
        meters._feed.stop()  # as when a card is unplugged
        await asyncio.sleep(0.2)
        assert meters.levels.peak_dbfs[0] == pytest.approx([-6, -6], abs=0.2)
        await asyncio.sleep(10)
        assert (meters.levels.peak_dbfs < -90).all()

    simulated(main())


def test_starting_and_stopping_twice_is_harmless_and_leaves_nothing(made):
    async def main():
        meters = made(signals={"sine": AES_TONE})
        for _ in range(2):
            meters.start()
            meters.start()
            assert len(asyncio.all_tasks()) == 2
            await asyncio.sleep(0.1)
            meters.stop()
            meters.stop()
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == 1
        told = len(meters.told)
        await asyncio.sleep(1)
        assert len(meters.told) == told
        meters.start()
        meters.close()
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    simulated(main())


def test_without_a_loop_they_say_so(made):
    with pytest.raises(RuntimeError, match="no running event loop"):
        made(signals={}).start()


@pytest.mark.parametrize("both", [True, False])
def test_they_need_a_session_or_signals(both):
    room = MemoryChannel()
    session = JamSession("room", "ada", signaling=lambda _: room) if both else None
    with pytest.raises(ValueError, match="give one of them"):
        LevelMeters(session, signals={} if both else None)


def test_a_signal_that_raises_stops_them_and_says_why(made, caplog):
    signals = {"sine": AES_TONE}
    meters = made(signals=signals)

    async def main():
        await play(meters, 0.2)
        meters._feed.take = None
        await asyncio.sleep(0.2)

    with caplog.at_level(logging.ERROR):
        simulated(main())
    assert [record.getMessage() for record in caplog.records] == [
        "the level meters have stopped after an error"
    ]


def test_a_session_is_followed_from_before_it_is_entered_until_it_is_left(made):
    async def main():
        pair = Pair(0.005, 0.5)
        meters = made(pair.ada)
        async with pair.there(pair.ada):
            meters.start()
            async with pair.there(pair.ben):
                await pair.ada.wait_connected(20, "ben")
                await asyncio.sleep(2)
                assert meters.names == ("ada", "ben")
                assert (meters.levels.rms_dbfs > -30).all()
                assert {line.name for line in meters.history.lines} == {"ada", "ben"}
            await asyncio.sleep(8)
            assert meters.names == ("ada",)
        await asyncio.sleep(10)
        assert (meters.levels.peak_dbfs < -60).all()
        meters.stop()

    with simulated_world():
        simulated(main())
