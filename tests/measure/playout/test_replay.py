"""The replay against the playout buffer itself, on the same packets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio.pcm import SAMPLE_RATE, silence
from jamlab.measure.playout.example import example_trace
from jamlab.measure.playout.packets import LOST, PacketTimes, packets_of
from jamlab.measure.playout.playback import NEVER
from jamlab.measure.playout.replay import replay
from jamlab.media.playout.delay import DelayController
from jamlab.media.playout.playout import Playout
from jamlab.networks.model.trace import DelayTrace
from tests.examples import examples


class Silence:
    """A decoder whose frames all have one length."""

    def __init__(self, frame_frames):
        self._frame = silence(frame_frames)

    def decode(self, payload):
        return self._frame

    def conceal(self, frames):
        return silence(frames)


def played_for_real(packets, estimator):
    """Play all packets by `Playout`; return when, and what is concealed until the last is played.

    Frames concealed, and frames pulled by then: afterwards there is nothing left to play, and what
    a playout buffer conceals while it waits for late packets is no part of the sound.
    """
    playout = Playout(Silence(packets.frame_frames), estimator, history_s=3600)
    arrivals = iter(packets.by_arrival)
    coming = next(arrivals, None)
    pulled = 0
    concealed = []
    while (
        coming is not None or pulled - playout.delay_frames < packets.frame_frames * packets.count
    ):
        while coming is not None and packets.playable_frames[coming] <= pulled:
            timestamp = int(coming) * packets.frame_frames % 2**32
            playout.receive(int(coming) % 2**16, timestamp, b"", 0.0)
            coming = next(arrivals, None)
        concealed.append(playout.counters.concealed_frames)
        playout.pull(packets.block_frames)
        pulled += packets.block_frames
    played = np.full(packets.count, NEVER)
    for each in playout.history:
        number, rest = divmod(each.timestamp, packets.frame_frames)
        assert rest == 0
        played[number] = each.output_frame
    until = max(played)
    return played, concealed[until // packets.block_frames], until


def compared(packets):
    """Return when each packet is played, and how much is concealed, each by replay and for real."""
    played, concealed, until = played_for_real(packets, DelayController())
    playback = replay(packets, DelayController())
    before = playback.concealed_at_frames < until
    return (playback.played_frames, played), (playback.concealed_frames[before].sum(), concealed)


def is_same(packets):
    (replayed, played), concealed = compared(packets)
    return (replayed == played).all() and abs(np.subtract(*concealed)) <= packets.frame_frames


def test_it_is_the_playout_buffer_itself_on_jitter_with_stalls():
    assert is_same(packets_of(example_trace(20)))


@pytest.mark.parametrize("block_frames", [32, 64, 128, 480])
@pytest.mark.parametrize("frame_frames", [120, 240, 480])
def test_it_is_the_playout_buffer_itself_for_any_frames_and_blocks(frame_frames, block_frames):
    trace = example_trace(4, seed=frame_frames + block_frames)
    lengths = {"frame_frames": frame_frames, "block_frames": block_frames}
    assert is_same(packets_of(trace, phase_frames=-100, skew_ppm=50, **lengths))


def stalled(stall_s, lost=()):
    """Return packets over a network without jitter, with a stall after 5 s and some losses."""
    sent_s = 0.005 * np.arange(2000)
    end_s = 5 + stall_s
    delay_s = np.where((sent_s > 5) & (sent_s < end_s), end_s - sent_s, 0.0) + 0.01
    delay_s[np.array(lost, int) + 1] = np.nan  # packet k is sent when packet k + 1 begins
    return packets_of(DelayTrace("stall", sent_s, delay_s))


@pytest.mark.parametrize("stall_s", [0.02, 0.1, 0.25, 0.5])
def test_it_is_the_playout_buffer_itself_after_a_stall_and_losses(stall_s):
    (replayed, played), concealed = compared(stalled(stall_s, lost=(100, 101, 102, 700)))
    assert (replayed != played).mean() < 0.002
    assert abs(np.subtract(*concealed)) <= 480


@examples(10)
@given(
    st.lists(st.one_of(st.integers(0, 8000), st.just(None)), min_size=20, max_size=150).filter(
        lambda delays: any(delay is not None for delay in delays)
    )
)
def test_it_stays_near_the_playout_buffer_over_any_network(delays):
    captured = np.arange(len(delays)) * 240.0
    arrived = captured + 240 + [np.inf if each is None else each for each in delays]
    (replayed, played), concealed = compared(PacketTimes("any", captured, arrived))
    assert (replayed != played).mean() < 0.1
    assert abs(np.subtract(*concealed)) <= 0.1 * 240 * len(delays) + 480


def test_packets_that_never_came_are_never_played():
    packets = stalled(0.1, lost=(7, 1500))
    assert (packets.playable_frames[[7, 1500]] == LOST).all()
    assert (replay(packets, DelayController()).played_frames[[7, 1500]] == NEVER).all()


def test_nothing_comes():
    packets = PacketTimes("dead", np.arange(20) * 240.0, np.full(20, np.inf))
    assert replay(packets, DelayController()).concealed_share == 1


def test_a_buffer_without_jitter_has_the_delay_of_its_margin():
    playback = replay(stalled(0), DelayController())
    assert playback.concealed_share == 0
    assert 0 <= playback.delay_s[-1] <= (2 * 32 + 64) / SAMPLE_RATE
