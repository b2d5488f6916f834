"""A card's timeline from its callbacks, against cards whose timeline is known."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.audio.card import VirtualCard
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.stages import StreamTimes
from jamlab.media.playout.counters import PlayedPacket
from jamlab.media.quality import FRAME_LENGTHS
from jamlab.mesh.connection.timeline import CardTimeline
from jamlab.networks.simulated.loop import run_simulated

BEGAN_S = 100.0


def callbacks(block, lags_s, began_s=BEGAN_S):
    """When a card called, by the count of frames it had captured then."""
    return [
        ((number + 1) * block, began_s + (number + 1) * block / SAMPLE_RATE + lag_s)
        for number, lag_s in enumerate(lags_s)
    ]


def sent_in(calls, frame):
    """Frames sent: each in the first callback that had captured it to its end."""
    sent, position = [], 0
    for captured, at_s in calls:
        while position + frame <= captured:
            sent.append((position, at_s))
            position += frame
    return sent


lags = st.lists(st.floats(0, 0.05), min_size=60, max_size=120)


@given(st.sampled_from(FRAME_LENGTHS[:4]), st.integers(32, 1024), lags)
def test_it_began_when_it_did_but_for_the_smallest_lag(frame, block, lags_s):
    """Only callbacks that complete a frame are seen, and of the last frame the end is not known."""
    calls = callbacks(block, lags_s)
    sent = sent_in(calls, frame)
    timeline = CardTimeline.from_sent(sent, block, 2 * block)
    if len(sent) < 2:
        assert timeline is None
        return
    seen = {at_s for _, at_s in sent[:-1]}
    smallest_s = min(lag_s for (_, at_s), lag_s in zip(calls, lags_s, strict=True) if at_s in seen)
    assert timeline.began_s == pytest.approx(BEGAN_S + smallest_s, abs=1e-9)


def test_nothing_sent_tells_nothing():
    assert CardTimeline.from_sent([], 64, 128) is None
    assert CardTimeline.from_sent([(0, BEGAN_S)], 64, 128) is None


def test_frames_of_changing_length_tell_the_same():
    calls = callbacks(64, [0.0] * 100)
    ends = dict(calls)
    sent, position = [], 0
    for length in (120, 120, 240, 480, 120, 960, 120):
        done = min(captured for captured in ends if captured >= position + length)
        sent.append((position, ends[done]))
        position += length
    assert CardTimeline.from_sent(sent, 64, 128).began_s == pytest.approx(BEGAN_S, abs=1e-9)


def test_a_card_that_runs_fast_is_where_it_is_now():
    """An hour at 100 ppm moves frame 0, not what sounds now."""
    hour, block = 3600 * SAMPLE_RATE, 64
    card_rate = SAMPLE_RATE * (1 + 100e-6)
    sent = [(hour + n * block, BEGAN_S + (hour + (n + 1) * block) / card_rate) for n in range(700)]
    timeline = CardTimeline.from_sent(sent, block, 2 * block)
    now = hour + 700 * block
    told_s, true_s = timeline.began_s + now / SAMPLE_RATE, BEGAN_S + now / card_rate
    assert told_s == pytest.approx(true_s, abs=2e-4)


packets = st.lists(st.tuples(st.integers(0, 50_000), st.floats(-0.2, 0.2)), min_size=1, max_size=50)


@given(packets, st.sampled_from([32, 64, 480, 1000]), st.integers(2, 4), st.integers(0, 20))
def test_waits_are_the_stages_of_the_measurement(outputs, block, periods, blocks_before):
    """`jamlab.measure.latency.stages` reads the same off the card itself."""

    async def started():
        card = VirtualCard(block_frames=block, periods=periods)
        card.start(lambda captured: captured, capture=False)
        card.stop()
        return card

    card, origin = run_simulated(started()), blocks_before * block
    played = [
        PlayedPacket(number, card.time_of(origin + output) + early_s, output)
        for number, (output, early_s) in enumerate(outputs)
    ]
    sent = [(number, 0.0) for number in range(len(played) + 1)]
    times = StreamTimes(sent, played, 0, card, card, origin, 0.0)
    slack_s = (periods - 1) * block / SAMPLE_RATE
    stages = [times.at(number) for number in range(len(played))]
    heard = [stage for stage in stages if stage.playout_s >= -slack_s]
    clear = all(abs(stage.playout_s + slack_s) > 1e-9 for stage in stages)
    waits = CardTimeline(card.started_s, block, periods * block).waits(played, origin)
    if not (heard and clear):
        assert waits is None or heard or not clear
        return
    playout_s, card_s = (
        sum(getattr(stage, name) for stage in heard) / len(heard)
        for name in ("playout_s", "card_s")
    )
    assert waits.playout_s + waits.card_s == pytest.approx(playout_s + card_s, abs=1e-9)
    assert waits.playout_s == pytest.approx(max(playout_s, 0), abs=1e-9)
    assert waits.card_s >= 0


def stalled(stall_s, frame=120, block=64, periods=2, delay_frames=400, span_s=1.0):
    """A loop that stands still once, in the middle of a second of packets that come on time.

    Returns what was sent, and what became of packets: the truth is that each is played, where it
    is, `delay_frames` after it came, and read only when the loop goes on.
    """
    half_s = BEGAN_S + span_s / 2

    def begins(at_s):
        return half_s + stall_s if half_s <= at_s < half_s + stall_s else at_s

    frames = int(span_s * SAMPLE_RATE)
    due = ((count, BEGAN_S + count / SAMPLE_RATE) for count in range(block, frames, block))
    calls = [(count, begins(due_s)) for count, due_s in due]
    packets = [
        PlayedPacket(came, begins(BEGAN_S + came / SAMPLE_RATE), came + delay_frames)
        for came in range(0, frames - 2 * delay_frames, frame)
    ]
    return sent_in(calls, frame), packets


@given(st.floats(0, 1.5), st.sampled_from([64, 128, 480]), st.integers(0, 4000))
def test_a_loop_that_stalled_makes_no_figure_below_nothing(stall_s, block, delay_frames):
    sent, packets = stalled(stall_s, block=block, delay_frames=delay_frames)
    timeline = CardTimeline.from_sent(sent, block, 2 * block)
    waits = timeline.waits(packets, 0)
    if waits is not None:
        assert waits.playout_s >= 0
        assert waits.card_s >= 0


def test_packets_read_after_a_stall_made_the_wait_negative():
    """A stall of 0.9 s: the mean of all waits is below nothing, that of what was heard is right."""
    sent, packets = stalled(0.9, span_s=2.0)
    timeline = CardTimeline.from_sent(sent, 64, 128)
    called = [BEGAN_S + (p.output_frame // 64 + 1) * 64 / SAMPLE_RATE for p in packets]
    all_of_them = [at_s - p.arrival_s for at_s, p in zip(called, packets, strict=True)]
    assert sum(all_of_them) / len(packets) < -0.1
    assert timeline.waits(packets, 0).playout_s == pytest.approx(400 / SAMPLE_RATE, abs=0.001)
    assert timeline.lag_s(sent) == pytest.approx(0.9, abs=0.005)


def test_a_loop_that_is_on_time_does_not_lag():
    sent, _ = stalled(0.0)
    assert CardTimeline.from_sent(sent, 64, 128).lag_s(sent) == pytest.approx(0, abs=1e-9)


def test_without_packets_there_are_no_waits():
    assert CardTimeline(BEGAN_S, 64, 128).waits([], 0) is None
