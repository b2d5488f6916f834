"""One participant's readings, compared with recordings and packets made by hand."""

import asyncio
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from jamlab.audio.card import no_sound
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.participants import BusyError
from jamlab.measure.live_mesh.messages import MAX_CLICKING_S, MAX_CLICKS, MeshReport
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.measure.live_mesh.take_part import (
    KEEP_S,
    SPREAD_S,
    WINDOW_S,
    find_clicks,
    perform,
    quickest,
)
from jamlab.measure.live_mesh.wall_clock import WallClock
from jamlab.media.playout.counters import PlayedPacket
from jamlab.signaling.memory import MemoryChannel
from tests.examples import examples
from tests.leaks import until
from tests.measure.live_mesh.reports import a_request

REQUEST = a_request(("ada", "ben"), clicks=24)
SHORT = a_request(("ada", "ben"), clicks=3, bpm=600.0)
BEFORE = int(SPREAD_S * SAMPLE_RATE)


def recording(metronome, later_frames, missing=(), clicks=24):
    """What is heard from `SPREAD_S` before our start of somebody who is so much later."""
    heard = np.zeros(BEFORE + 12 * SAMPLE_RATE, dtype=np.float32)
    for index in set(range(clicks)) - set(missing):
        at = BEFORE + metronome.onset(index) + later_frames
        click = metronome.click(index)
        heard[at : at + len(click)] += click[: max(0, len(heard) - at)]
    return heard


class TestFindingClicks:
    @examples(6)
    @given(st.integers(-BEFORE, BEFORE))
    def test_however_much_earlier_or_later_the_other_started(self, later_frames):
        metronome = REQUEST.metronome("ben")
        found = find_clicks(recording(metronome, later_frames), metronome, 24)
        assert [each.index for each in found] == list(range(24))
        assert [each.delay for each in found] == pytest.approx([later_frames] * 24, abs=0.05)

    def test_among_the_clicks_of_others(self):
        ben, ada = REQUEST.metronome("ben"), REQUEST.metronome("ada")
        heard = recording(ben, 9_000) + recording(ada, -5_000)
        for metronome, later in (ben, 9_000), (ada, -5_000):
            delays = [each.delay for each in find_clicks(heard, metronome, 24)]
            assert delays == pytest.approx([later] * 24, abs=1.0)

    def test_what_is_lost_is_not_heard_and_misleads_nobody(self):
        metronome = REQUEST.metronome("ben")
        found = find_clicks(recording(metronome, 777, missing={0, 6, 12, 23}), metronome, 24)
        assert [each.index for each in found if not each.heard] == [0, 6, 12, 23]
        assert [each.delay for each in found if each.heard] == pytest.approx([777] * 20, abs=0.05)

    def test_the_first_clicks_searched_for_may_be_lost(self):
        metronome = REQUEST.metronome("ben")
        lost = {6, 12, 18}
        found = find_clicks(recording(metronome, 777, missing=lost), metronome, 24)
        assert {each.index for each in found if not each.heard} == lost

    @pytest.mark.parametrize("noise", [0.0, 0.05])
    def test_silence_and_noise_have_no_clicks(self, noise):
        heard = np.random.default_rng(1).normal(0, noise, BEFORE + 8 * SAMPLE_RATE)
        found = find_clicks(heard.astype(np.float32), REQUEST.metronome("ben"), 24)
        assert len(found) == 24
        assert not any(each.heard for each in found)
        assert all(math.isnan(each.delay) for each in found)

    def test_a_participant_keeps_enough_to_be_searched(self):
        longest = a_request(("ada", "ben"), MAX_CLICKS, MAX_CLICKS * 60 / MAX_CLICKING_S)
        assert longest.lasts_s + 2 * SPREAD_S + 1 <= KEEP_S


def packets(delays_s, origin=0, every_frames=240):
    return [
        PlayedPacket((origin + n * every_frames) % 2**32, 5 + n * every_frames / 48_000 + delay, 0)
        for n, delay in enumerate(delays_s)
    ]


class TestQuickest:
    @examples(30)
    @given(
        st.lists(st.floats(0, 0.2), min_size=1, max_size=400),
        st.integers(0, 2**32 - 1),
    )
    def test_no_packet_of_a_window_says_more(self, delays_s, origin):
        """Whatever timestamp the stream began with, and wherever it wraps."""
        stream = packets(delays_s, origin)
        told = quickest(stream)
        windows = {}
        for packet, delay_s in zip(stream, delays_s, strict=True):
            windows.setdefault(int(packet.arrival_s // WINDOW_S), []).append(delay_s)
        delay_of = {p.timestamp: delay_s for p, delay_s in zip(stream, delays_s, strict=True)}
        assert [delay_of[p.timestamp] for p in told] == pytest.approx(
            [min(each) for each in windows.values()], abs=1e-9
        )

    def test_of_nothing_nothing(self):
        assert quickest([]) == []


def member(name, room):
    return measuring_participant("room", name, lambda _: room, keep_s=KEEP_S)


@pytest.mark.usefixtures("nothing_left")
class TestPerforming:
    @pytest.mark.slow
    async def test_alone_it_clicks_and_hears_nobody(self):
        ada = member("ada", MemoryChannel())
        async with ada.session:
            performing = asyncio.create_task(perform(ada, SHORT, WallClock(1000.0, 0.25)))
            await until(lambda: ada.card.source is not no_sound)
            await until(lambda: ada.card.source is no_sound, "for the clicks to end")
            report = await performing
        assert report.hearings == {}
        assert report.clock_error_s == 0.25
        assert report.frame_s == pytest.approx(1 / SAMPLE_RATE)
        assert report.began_s - 1000.0 == pytest.approx(ada.card.started_s, abs=60)
        assert MeshReport.from_data(report.to_data(), SHORT) == report

    async def test_a_card_plays_for_one_measurement_at_a_time(self):
        ada = member("ada", MemoryChannel())
        async with ada.session:
            with ada.playing(no_sound), pytest.raises(BusyError, match="measuring already"):
                await perform(ada, SHORT, WallClock(0.0, 0.0))
            assert not ada.busy

    async def test_cancelled_it_stops_clicking(self):
        ada = member("ada", MemoryChannel())
        async with ada.session:
            performing = asyncio.create_task(perform(ada, SHORT, WallClock(0.0, 0.0)))
            await until(lambda: ada.busy)
            performing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await performing
            assert ada.card.source is no_sound
            assert not ada.busy
