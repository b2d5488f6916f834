"""Clock drift between two cards: hours of virtual time, checked sample by sample.

The sound is a tone whose phase is its position (`tests.media.playout.skewed`), so latency, slips
and purity are read from the sound, not from the playout's own figures.
"""

import gc
import random
import weakref

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.opus import OpusDecoder, OpusEncoder
from jamlab.media.playout.follower import NOTICEABLE, FollowedRate
from jamlab.media.playout.playout import Playout
from jamlab.media.quality import LOW_LATENCY
from jamlab.networks.model.link import Link
from jamlab.networks.model.profile import profile_named
from tests.examples import examples
from tests.media.playout.skewed import (
    OMEGA,
    PERIOD,
    Path,
    Slips,
    ToneDecoder,
    latency_s,
    spectral_purity_db,
)

SETTLED_S = 15  # the first drift, and the settling of the delay
HOUR_S = 3600
SLIP = 5e-5  # of full scale; the tone's own rate, 500 ppm off, leaves 2e-5
PURE_DBC = -90.0


def jitter(mean_s, seed=1, delay_s=0.020):
    rng = random.Random(seed)
    return lambda k: delay_s + rng.expovariate(1 / mean_s)


def up_to(most_s, seed=1, delay_s=0.020):
    rng = random.Random(seed)
    return lambda k: delay_s + most_s * rng.random()


def network(name, seed=1):
    """Two access links of a profile; what they hold up is not lost."""
    links = [Link(profile_named(name).access(), random.Random(seed + n)) for n in range(2)]
    frame_s = [0.0]

    def delay_s(k):
        came_s = sent_s = k * frame_s[0]
        for link in links:
            out = link.transit(120, came_s)
            if not out:
                return None
            came_s = out[0]
        return came_s - sent_s

    def of(frame):
        frame_s[0] = frame / SAMPLE_RATE
        return delay_s

    return of


def disturbed(path):
    """Frames that were not what was sent, or not as long as it was."""
    counters = path.counters
    return (
        counters.concealed_frames,
        counters.silent_frames,
        counters.skipped_frames,
        counters.inserted_frames + counters.removed_frames,
        counters.late,
    )


class Listener:
    """Listens to a path for hours, in stretches of many blocks, and keeps what it found."""

    def __init__(self, path, together=32, every=10):
        self.path = path
        self.slips = Slips()
        self.latencies_s = [latency_s(path.frames - 1, path.played[-1][-1], path)]
        self.purities = []
        self._blocks = []
        self._together, self._every = together, every

    def __call__(self, block):
        self._blocks.append(block)
        if len(self._blocks) == self._together:
            self.slips(self._blocks)
            self.latencies_s.append(latency_s(self.path.frames - 1, block[-1], self.path))
            if len(self.latencies_s) % self._every == 0:
                self._analyse(np.concatenate(self._blocks)[: SAMPLE_RATE // 2, 0])
            self._blocks.clear()

    def _analyse(self, sound):
        self.purities.append(spectral_purity_db(sound.astype(np.float64)))

    @property
    def moved_ms(self):
        """Latency less that at the beginning; slower than half a period between two readings."""
        latencies = np.unwrap(self.latencies_s, period=PERIOD / SAMPLE_RATE)
        return 1000 * (latencies - latencies[0])


@pytest.mark.slow
class TestLong:
    @pytest.mark.parametrize(("ppm", "seconds"), [(-200, HOUR_S), (200, HOUR_S // 10)])
    def test_the_latency_stays_and_nothing_clicks(self, ppm, seconds):
        """Within 0.5 ms of its start, never dry, no slip, no line but the tone's."""
        path = Path(ppm, block=4096, frame=2880, delay_s=up_to(0.001)).run(2 * SETTLED_S)
        before, listener = disturbed(path), Listener(path, every=2)
        path.run(seconds, listener)
        assert disturbed(path) == before
        assert np.abs(listener.moved_ms).max() < 0.5
        assert len(listener.purities) > 60
        assert max(listener.purities) < PURE_DBC
        assert listener.slips.worst < SLIP
        assert path.playout.drift == pytest.approx(ppm * 1e-6, abs=0.5e-6)


class TestSteady:
    """Short blocks for half a minute: every figure of the hour, on more kinds of cards."""

    @pytest.mark.slow
    @pytest.mark.parametrize("ppm", [-300, 20])
    @pytest.mark.parametrize(("block", "frame"), [(64, 120), (128, 480), (480, 480)])
    def test_no_slip_and_no_delay(self, ppm, block, frame):
        path = Path(ppm, block=block, frame=frame).run(2 * SETTLED_S)
        before, listener = disturbed(path), Listener(path, together=24_000 // block + 1, every=15)
        path.run(30, listener)
        assert disturbed(path) == before
        assert np.abs(listener.moved_ms).max() < 0.25
        assert listener.slips.worst < SLIP
        assert max(listener.purities) < PURE_DBC

    @pytest.mark.slow
    @examples(10)
    @given(
        ppm=st.floats(-300, 300),
        block=st.sampled_from([32, 64, 100, 128, 256, 441, 1024]),
        frame=st.sampled_from([120, 240, 480, 960]),
        delay_ms=st.floats(0, 80),
    )
    @example(ppm=11.0, block=32, frame=240, delay_ms=0.0)
    @example(ppm=11.0, block=32, frame=480, delay_ms=0.0)
    @example(ppm=-12.16, block=64, frame=960, delay_ms=44.9)  # lost nine packets at once
    def test_any_cards(self, ppm, block, frame, delay_ms):
        path = Path(ppm, block=block, frame=frame, delay_s=lambda k: delay_ms / 1000)
        path.run(2 * SETTLED_S)
        before, listener = disturbed(path), Listener(path, together=24_000 // block + 1)
        path.run(20, listener)
        # cards that differ by less than is noticeable may still be spliced, rarely
        if path.card.resampling:
            assert disturbed(path)[:3] == before[:3]
            assert listener.slips.worst < SLIP
        assert np.abs(listener.moved_ms).max() < 0.5

    @pytest.mark.slow
    def test_on_a_network_that_jitters(self):
        """Spikes are lost and the delay follows them as ever, but it does not go away."""
        quiet, *skewed = (
            Path(each, block=480, frame=480, delay_s=network("same country")(480)).run(240)
            for each in (0.0, -200, 200)
        )
        for path in skewed:
            assert path.playout.drift == pytest.approx(path.ppm * 1e-6, abs=3e-6)
            assert path.counters.concealed_share < quiet.counters.concealed_share + 0.003
            beyond = path.playout.delay_frames - path.playout._estimator.target_frames
            assert abs(beyond) < 240

    @pytest.mark.slow
    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_loss_is_concealed_and_nothing_else(self, ppm):
        rng = random.Random(4)
        path = Path(ppm, delay_s=lambda k: None if rng.random() < 0.01 else 0.020).run(SETTLED_S)
        before = path.counters.concealed_frames
        path.run(30)
        lost = path.counters.concealed_frames - before
        assert 0.005 < lost / (30 * SAMPLE_RATE) < 0.015
        assert path.counters.late == 0
        assert path.counters.silent_frames == 0

    @pytest.mark.slow
    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_with_opus(self, ppm):
        """The latency of a real stream, by the phase of its tone."""
        encoder, packets = OpusEncoder(LOW_LATENCY), []

        def payload(k):
            while len(packets) <= k:
                phases = OMEGA * (np.arange(120) + 120 * len(packets))
                tone = 0.5 * np.column_stack((np.cos(phases), np.cos(phases)))
                packets.append(encoder.encode(tone.astype(np.float32)))
            return packets[k]

        path = Path(ppm, decoder=OpusDecoder(), payload=payload, delay_s=jitter(2e-4))
        path.run(SETTLED_S)
        before, begin = disturbed(path), len(path.played)
        path.run(20)
        after = disturbed(path)
        assert after[1:4] == before[1:4]
        assert after[0] - before[0] <= 600  # a spike of the jitter or two
        sound = np.concatenate(path.played[begin:])[:, 0].astype(float)
        windows = sound[: len(sound) // 4800 * 4800].reshape(-1, 4800)
        n = np.arange(windows.size).reshape(windows.shape)
        card_omega = OMEGA * (1 + ppm * 1e-6)  # the tone by our card's clock
        phases = np.angle((windows * np.exp(-1j * card_omega * n)).sum(axis=1))
        moved_ms = np.unwrap(phases) / OMEGA / SAMPLE_RATE * 1000
        assert np.abs(moved_ms - moved_ms[0]).max() < 0.5


class TestEqualClocks:
    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["Wi-Fi", "4G"])
    def test_no_network_makes_equal_cards_differ(self, name):
        """Longer than any slot is kept; an hour of packets is in test_drift."""
        path = Path(0.0, block=960, frame=960, delay_s=network(name)(960))
        path.run(240, lambda block: None)
        assert not path.card.resampling
        assert abs(path.playout.drift) < 1e-6

    @pytest.mark.slow
    def test_a_loop_that_lags_is_not_resampled(self):
        """A millisecond on average, and 40 ms at a stretch once in ten seconds."""
        rng = random.Random(8)
        path = Path(
            0.0,
            block=256,
            frame=480,
            lag_s=lambda due: rng.expovariate(1000) + (0.040 if due % 10 < 0.2 else 0.0),
        )
        path.run(240, lambda block: None)
        assert not path.card.resampling

    @pytest.mark.slow
    @examples(20)
    @given(
        block=st.integers(16, 1024),
        frame=st.sampled_from([120, 240, 480, 960]),
        mean_ms=st.one_of(st.just(0.0), st.floats(1e-3, 10)),
        seed=st.integers(0, 99),
    )
    def test_is_a_plain_playout_to_the_last_bit(self, block, frame, mean_ms, seed):
        delay_s = jitter(mean_ms / 1000, seed) if mean_ms else None
        one, other = (Path(0.0, block, frame, delay_s or (lambda k: 0.020)) for _ in range(2))
        if delay_s:
            other.delay_s = jitter(mean_ms / 1000, seed)
        plain = other.playout = Playout(ToneDecoder())
        assert np.array_equal(one.run(10).sound, other.run(10).sound)
        assert list(one.playout.history) == list(plain.history)
        assert one.counters == plain.counters
        assert one.playout.pulled_frames == plain.pulled_frames

    @pytest.mark.slow
    def test_a_drift_too_small_to_notice_is_left_to_splices(self):
        path = Path(1.0, block=128, frame=240).run(120)
        assert 0 < path.playout.drift < 2e-6
        assert not path.card.resampling

    @pytest.mark.slow
    def test_a_drift_too_small_to_notice_loses_no_sound(self):
        """Packets that came just before a callback come just after it some day, and are in time."""
        path = Path(-2.3, block=128, frame=960).run(SETTLED_S)
        before, crossed_s = disturbed(path), 64 / 2.3e-6 / SAMPLE_RATE
        path.run(crossed_s, lambda block: None)
        assert not path.card.resampling
        assert disturbed(path)[:3] == before[:3]
        assert path.counters.late == before[4]

    def test_a_drift_that_is_foreseen_is_not_waited_for(self):
        """A gain of 24 frames in a minute is certain long before it is there."""
        path = Path(10.0, block=256, frame=480).run(20)
        assert path.card.resampling
        assert 10e-6 * path.frames < NOTICEABLE

    @pytest.mark.slow
    def test_a_loop_that_grows_slower_is_no_drift(self):
        """A fifth of a millisecond in a minute is 3 ppm, as a busy machine has it."""
        path = Path(
            0.0,
            block=128,
            frame=240,
            delay_s=lambda k: 0.02 + 0.0002 * min(k * 0.005 / 60, 1),
        ).run(120)
        assert not path.card.resampling

    @pytest.mark.slow
    def test_cards_that_are_hardly_apart_are_told_apart_in_time(self):
        path = Path(4.0, block=256, frame=480)
        path.run(60, lambda block: None)
        assert not path.card.resampling
        path.run(180, lambda block: None)
        assert path.card.resampling


class TestSwitchOver:
    def test_nothing_is_heard_of_it(self):
        """From before the drift is known to long after, the tone goes on without a step."""
        path = Path(-200.0, frame=120)
        while not path.card.resampling:
            path.run(0.1)
        blocks = len(path.played)
        assert NOTICEABLE / 200e-6 / SAMPLE_RATE < path.due_s < 4
        path.run(3)
        slips = Slips()
        slips(path.played[blocks - 90 : blocks + 1000])
        assert slips.worst < SLIP

    def test_the_look_ahead_is_gained_by_rate(self):
        path = Path(200.0)
        while not path.card.resampling:
            path.run(0.1)
        spliced = disturbed(path)
        path.run(5)
        assert disturbed(path) == spliced
        target = path.playout._estimator.target_frames
        assert path.playout.delay_frames == pytest.approx(target, abs=16)

    @pytest.mark.slow
    def test_cards_that_come_to_agree_are_resampled_by_one(self):
        path = Path(100.0, block=960, frame=960).run(60)
        offset_s = path.now_s - path.frames / SAMPLE_RATE
        path.rate, path.lag_s = SAMPLE_RATE, lambda due_s: offset_s
        path.run(300, lambda block: None)
        assert abs(path.playout.drift) < 2e-6
        assert path.card.resampling


class TestPositions:
    @pytest.mark.slow
    @pytest.mark.parametrize("ppm", [-200, 0, 200])
    def test_the_history_says_where_each_packet_went(self, ppm):
        """The sample at the frame it names has the phase of the packet's first position."""
        path = Path(ppm).run(20)
        sound = path.sound
        for packet in [*path.playout.history][2000::125]:
            played = complex(*sound[packet.output_frame])
            expected = np.exp(1j * OMEGA * packet.timestamp)
            assert abs(np.angle(played / expected)) / OMEGA < 0.75  # rounded to a frame

    def test_pulled_frames_are_the_cards(self):
        path = Path(300.0).run(30)
        assert path.playout.pulled_frames == path.frames
        assert path.playout._pulled != path.frames

    @pytest.mark.slow
    def test_what_the_card_missed_is_counted_in_its_frames(self):
        path = Path(200.0).run(SETTLED_S)
        late = path.counters.concealed_frames
        for _ in range(20):
            path.frames += path.block
            path.deliver()
            path.playout.miss(path.block)
        assert path.counters.missed_frames == 20 * path.block
        assert path.playout.pulled_frames == path.frames
        path.run(SETTLED_S)
        assert path.counters.concealed_frames == late


@pytest.mark.slow
class TestWhileResampling:
    """What happens to a stream whose card is followed: it is followed on."""

    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_longer_frames_that_were_announced_are_waited_for(self, ppm):
        path = Path(ppm, frame=120).run(SETTLED_S)
        assert path.card.resampling
        before = path.counters.concealed_frames, path.counters.late
        path.playout.expect(480)
        path.run(0.5)
        path.frame = 480
        path.run(2 * SETTLED_S)
        assert (path.counters.concealed_frames, path.counters.late) == before
        self.is_followed(path, ppm)

    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_shorter_frames_take_their_delay_away(self, ppm):
        path = Path(ppm, frame=960).run(SETTLED_S)
        before, delay = path.counters.concealed_frames, path.playout.delay_frames
        path.frame = 120
        path.run(2 * SETTLED_S)
        assert path.counters.concealed_frames == before
        assert path.playout.delay_frames < delay - 700
        self.is_followed(path, ppm)

    @pytest.mark.parametrize("ppm", [-200, 200])
    def test_a_sender_that_begins_anew_is_measured_anew(self, ppm):
        path = Path(ppm, block=128, frame=240).run(2 * SETTLED_S)
        assert path.playout.drift == pytest.approx(ppm * 1e-6, abs=3e-6)
        path.origins = 40_000, 10**9
        while not path.counters.restarted:
            path.run(0.01)
        assert path.playout.drift is None
        path.run(2 * SETTLED_S)
        assert path.counters.restarted == 1
        self.is_followed(path, ppm)

    def is_followed(self, path, ppm):
        before, listener = disturbed(path), Listener(path)
        path.run(10, listener)
        assert disturbed(path) == before
        assert listener.slips.worst < SLIP
        assert np.abs(listener.moved_ms).max() < 0.25
        assert path.playout.drift == pytest.approx(ppm * 1e-6, abs=3e-6)


class TestWithoutAStream:
    def test_before_the_first_packet_there_is_silence_and_no_drift(self):
        card = FollowedRate(lambda: 0.0)
        playout = Playout(ToneDecoder(), rate=card)
        assert not playout.pull(64).any()
        assert (playout.drift, card.resampling, playout.delay_frames) == (None, False, None)

    def test_it_is_freed_once_nobody_uses_it(self):
        path = Path(200.0).run(10)
        assert path.card.resampling
        gone = weakref.ref(path.playout)
        del path
        gc.collect()
        assert gone() is None


class TestLapses:
    """Our card stops for a while: what it plays afterwards may not be late for it."""

    @staticmethod
    def late_s(path):
        """How long ago the latest packet but a few was captured when it was played."""
        packet = path.playout.history[-1]
        played_s = packet.output_frame / path.rate + path.stopped_s
        return played_s - packet.timestamp / SAMPLE_RATE

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("stop_s", "ppm"),
        [(0.03, 0), (0.08, -200), (0.5, 200), (0.99, 0), (1.5, -200)],
    )
    def test_the_latency_is_back_within_seconds(self, stop_s, ppm):
        path = Path(ppm, delay_s=up_to(0.001)).run(SETTLED_S)
        before_s = self.late_s(path)
        path.stopped_s += stop_s
        path.run(4)
        assert self.late_s(path) == pytest.approx(before_s, abs=0.0015)
        path.run(SETTLED_S)
        assert self.late_s(path) == pytest.approx(before_s, abs=0.0015)

    @pytest.mark.slow
    def test_nothing_is_lost_but_what_was_skipped(self):
        path = Path(delay_s=up_to(0.001)).run(SETTLED_S)
        path.stopped_s += 0.5
        path.run(4)
        before = path.counters.concealed_frames, path.counters.late
        path.run(30)
        assert (path.counters.concealed_frames, path.counters.late) == before

    def test_a_short_one_costs_no_sound(self):
        path = Path(delay_s=up_to(0.001)).run(SETTLED_S)
        before = path.counters.concealed_frames, path.counters.late
        path.stopped_s += 0.03
        path.run(4)
        assert (path.counters.concealed_frames, path.counters.late) == before
        assert path.counters.skipped_frames == 0

    @pytest.mark.slow
    def test_small_ones_do_not_add_up(self):
        """A driver's xruns, each of 5 ms, three a second, as on a machine that is too busy."""
        path = Path(delay_s=up_to(0.001)).run(SETTLED_S)
        before_s = self.late_s(path)
        for _ in range(90):
            path.stopped_s += 240 / SAMPLE_RATE
            path.run(0.3)
        assert self.late_s(path) - before_s < 0.025
