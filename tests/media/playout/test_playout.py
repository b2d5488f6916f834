"""The playout buffer under integer virtual time, sample by sample.

The decoder here is not a codec: the value of each decoded sample is its position, so the card's
output can be read directly. Time is counted in frames of the card. A packet that arrives at frame
*n* is available to the first pull made at *n* or later.
"""

import itertools
import struct
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opuslib_next.api import c_float_pointer, ctl, encoder
from opuslib_next.constants import APPLICATION_AUDIO

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.media.opus import CorruptPacketError, OpusDecoder, OpusEncoder
from jamlab.media.playout.counters import PlayoutCounters
from jamlab.media.playout.delay import DelayBounds, DelayController
from jamlab.media.playout.packets import FARTHEST
from jamlab.media.playout.playout import HISTORY_S, Playout
from jamlab.media.quality import FRAME_LENGTHS, HIGH_QUALITY, LOW_LATENCY, Quality
from tests.examples import examples

SILENT, PLAYED, CONCEALED = 0, 1, 2
MS = SAMPLE_RATE // 1000
SECOND = SAMPLE_RATE


def payload_at(position, frames):
    return struct.pack(">qH", position, frames)


class PositionDecoder:
    """Left says which position a sample has, right what it is: played, concealed or silent."""

    def __init__(self):
        self.decoded = []
        self.concealed = []

    def decode(self, payload):
        if len(payload) != 10:
            raise CorruptPacketError("not one of ours")
        position, frames = struct.unpack(">qH", payload)
        self.decoded.append(position)
        positions = np.arange(position, position + frames, dtype=np.float64)
        return np.column_stack((positions, np.full(frames, PLAYED)))

    def conceal(self, frames):
        self.concealed.append(frames)
        return np.full((frames, 2), (0.0, CONCEALED))


def accepting(share):
    return DelayController(DelayBounds(accepted_share=share))


class FixedDelay(DelayController):
    """Never changes its mind, so what must be played follows from the arrivals alone."""

    def __init__(self, frames):
        super().__init__()
        self._frames = frames

    @property
    def target_frames(self):
        return self._frames

    def correction(self, now_frames, delay_frames):
        return 0


class Copy(tuple):
    """A redundant copy of a packet."""


@dataclass
class Stream:
    """A sender and its network: packet *k* is complete at frame ``(k + 1) * frame`` of the card."""

    frame: int = 120
    sequence: int = 0
    timestamp: int = 0
    delay: int = 20 * MS
    in_flight: list = field(default_factory=list)

    def captured(self, k):
        return (k + 1) * self.frame

    def packet(self, k, position=None, payload=None):
        position = k * self.frame if position is None else position
        payload = payload_at(position, self.frame) if payload is None else payload
        return (self.sequence + k) % 2**16, (self.timestamp + position) % 2**32, payload

    def send(self, k, delay=None, **packet):
        arrival = self.captured(k) + (self.delay if delay is None else delay)
        self.in_flight.append((arrival, self.packet(k, **packet)))

    def send_with(self, carrier, k, delay, kind):
        """Send a packet's redundant copy within another, or a packet that is as late as that."""
        self.in_flight.append((self.captured(carrier) + delay, kind(self.packet(k))))

    def send_all(self, seconds, lost=(), delay=None):
        """Send all packets of a stretch of time; `delay` is a function of the capture time."""
        for k in range(seconds * SECOND // self.frame):
            if k not in lost:
                self.send(k, delay and delay(self.captured(k)))
        return self


class Card:
    """Pull blocks, deliver what has arrived before each, and keep what was played."""

    def __init__(self, *in_flight, estimator=None, block=64, decoder=None):
        self.decoder = decoder or PositionDecoder()
        self.playout = Playout(self.decoder, estimator)
        self.block = block
        self.now = 0
        self.delays = []  # one a block
        self._blocks = []
        self._coming = sorted(in_flight, key=lambda sent: sent[0])[::-1]

    @classmethod
    def of(cls, stream, **options):
        return cls(*stream.in_flight, **options)

    @property
    def counters(self):
        return self.playout.counters

    @property
    def output(self):
        return np.concatenate(self._blocks)

    @property
    def positions(self):
        """Positions of the samples played, in the order they were played."""
        return self.output[self.output[:, 1] > 0.5, 0][np.flatnonzero(self._marks(PLAYED))]

    def _marks(self, kind):
        marks = np.rint(self.output[:, 1])
        return marks[marks > 0] == kind

    def run(self, until, blocks=None):
        """Play until a frame of the card has passed, in blocks of one or of given sizes."""
        sizes = iter(blocks or ())
        while self.now < until:
            self._deliver()
            self._pull(next(sizes, self.block))
        return self

    def _deliver(self):
        while self._coming and self._coming[-1][0] <= self.now:
            arrival, packet = self._coming.pop()
            take = self.playout.recover if isinstance(packet, Copy) else self.playout.receive
            take(*packet, arrival / SAMPLE_RATE)

    def _pull(self, frames):
        block = self.playout.pull(frames)
        assert block.shape == (frames, 2)
        self._blocks.append(block)
        self.delays.append(self.playout.delay_frames)
        self.now += frames

    def delays_between(self, start, stop):
        return set(self.delays[start // self.block : stop // self.block])

    def never_raised(self, start, stop):
        delays = self.delays[start // self.block : stop // self.block]
        return all(later <= earlier for earlier, later in pairwise(delays))

    def missing_between(self, start, stop):
        """Frames of the card, relative to `start`, that were not decoded sound."""
        return np.flatnonzero(np.rint(self.output[start:stop, 1]) != PLAYED)

    def drain(self):
        """Pull until nothing can be buffered any more."""
        return self.run(self.now + 3 * FARTHEST, blocks=[4800] * 30)


def assert_balanced(card):
    """The two equations of `PlayoutCounters`, on a drained card."""
    counters = card.counters
    assert counters.received == (
        counters.decoded + counters.late + counters.duplicated + counters.corrupt + counters.strayed
    )
    made = made_frames(counters)
    ready = 0
    while made_frames(counters) == made:  # the pull that makes more found nothing ready
        card.playout.pull(1)
        card.now += 1
        ready += 1
    assert made == card.now - 1
    assert ready >= 1


def made_frames(counters: PlayoutCounters):
    return (
        counters.played_frames
        + counters.concealed_frames
        + counters.unheard_frames
        + counters.silent_frames
        + counters.waiting_frames
        + counters.inserted_frames
        - counters.removed_frames
    )


def kept_items(playout):
    """Everything the buffer remembers, less its history of bounded length."""
    return sum(
        len(value)
        for name, value in vars(playout).items()
        if hasattr(value, "__len__") and name != "history"
    )


# A delay that never changes: the whole output follows from the arrivals

NETWORK = st.lists(
    st.lists(st.integers(0, 30 * MS), max_size=3),  # the copies of a packet, each with its delay
    max_size=60,
)


@dataclass
class Truth:
    """What must become of each packet: the rule of the theory of operation, by brute force."""

    frame: int
    delay: int
    starts: list  # the card frames at which pulls begin
    arrivals: dict  # packet: sorted arrivals of its copies

    def seen(self, arrival):
        """When the card first looks after an arrival; None when it never does."""
        return next((start for start in self.starts if start >= arrival), None)

    def deadline(self, k):
        """The pull that needs the first sample of a packet."""
        return self.starts[bisect_right(self.starts, k * self.frame + self.delay) - 1]

    def first_line(self):
        """The position at which the line of play begins."""
        seen = [self.seen(times[0]) for times in self.arrivals.values() if times]
        return min(seen) - self.delay if seen else None

    def played(self):
        begin = self.first_line()
        return {
            k
            for k, times in self.arrivals.items()
            if times and times[0] <= self.deadline(k) and k * self.frame >= begin
        }

    def output(self, frames):
        """Left and right of every frame the card plays."""
        played = self.played()
        output = np.zeros((frames, 2))
        invented = None  # frames since the last played one, None before the first
        for n in range(frames):
            position = n - self.delay
            if position // self.frame in played:
                output[n] = position, PLAYED
                invented = 0
            elif invented is not None:
                whole_frames = (invented // self.frame + 1) * self.frame
                output[n, 1] = CONCEALED if whole_frames <= 100 * MS else SILENT
                invented += 1
        return output


@examples(80)
@given(
    network=NETWORK,
    frame=st.sampled_from([120, 240, 480]),
    delay=st.integers(10 * MS, 45 * MS),
    blocks=st.lists(st.integers(1, 300), max_size=200),
    sequence=st.integers(0, 2**16 - 1),
    timestamp=st.integers(0, 2**32 - 1),
)
@example([[0]] * 60, 120, 1200, [], 2**16 - 30, 2**32 - 30 * 120)  # both wrap in the middle
@example([[500], [0]] * 20, 120, 1200, [], 0, 0)  # the second comes before the first
@example([[1440], []] * 20, 120, 480, [], 0, 0)  # all too late
def test_every_sample_follows_from_the_arrivals(network, frame, delay, blocks, sequence, timestamp):
    stream = Stream(frame, sequence, timestamp)
    arrivals = {}
    for k, copies in enumerate(network):
        arrivals[k] = sorted(stream.captured(k) + copy for copy in copies)
        for copy in copies:
            stream.send(k, copy)
    until = (len(network) * frame) + 50 * MS
    card = Card.of(stream)
    if stream.in_flight:  # timestamps count from the first packet's to arrive, before any wrap
        _, (_, first_timestamp, first_payload) = card._coming[-1]
        origin = first_timestamp - struct.unpack(">qH", first_payload)[0]
        card = Card.of(stream, estimator=FixedDelay(delay - origin))
    card.run(until, blocks)

    starts = [0, *accumulate(len(block) for block in card._blocks)][:-1]
    truth = Truth(frame, delay, starts, arrivals)
    np.testing.assert_array_equal(card.output, truth.output(card.now))

    played = truth.played()
    assert card.decoder.decoded == sorted(k * frame for k in played)
    card.drain()
    assert card.counters.decoded == len(played)
    copies = sum(len(arrivals[k]) - 1 for k in played)
    assert card.counters.duplicated >= copies  # also a copy of what was there before the line began
    assert card.counters.duplicated + card.counters.late == len(stream.in_flight) - len(played)
    assert card.counters.strayed == card.counters.corrupt == 0
    assert_balanced(card)


# Anything at all


@st.composite
def hostile_packets(draw):
    """Any numbers, often near those of a stream; payloads of any length Opus knows, or junk."""
    near = draw(st.booleans())
    step = draw(st.integers(-50, 400))
    sequence = (step if near else draw(st.integers(0, 2**16 - 1))) % 2**16
    timestamp = (step * 120 if near else draw(st.integers(0, 2**32 - 1))) % 2**32
    frames = draw(st.sampled_from([*FRAME_LENGTHS, 360, 5760]))
    junk = draw(st.none() | st.binary(max_size=5))
    return sequence, timestamp, payload_at(timestamp, frames) if junk is None else junk


@examples(150)
@given(st.lists(hostile_packets() | st.integers(0, 3000), max_size=80))
@example([(0, 0, payload_at(0, 2880)), 500, (9, 10**6, b""), (10, 10**6 + 9, b""), 999])
def test_survives_and_accounts_for_anything(steps):
    card = Card()
    for step in steps:
        if isinstance(step, int):
            card._pull(step)
        else:
            card.playout.receive(*step, 0.0)
    card.drain()
    assert_balanced(card)
    steps_back = sum((b - a) % 2**32 >= 2**31 or a == b for a, b in pairwise(card.decoder.decoded))
    assert steps_back <= card.counters.restarted


@st.composite
def rough_streams(draw):
    """A real sender on a bad network: jitter, loss in bursts, copies, junk, pauses, wrap-around."""
    stream = Stream(
        draw(st.sampled_from([120, 240, 480, 960])),
        draw(st.integers(0, 2**16 - 1) | st.just(2**16 - 20)),
        draw(st.integers(0, 2**32 - 1) | st.just(2**32 - 5000)),
    )
    paused = 0  # positions jump, sequence numbers do not
    k = 0
    for kind in draw(st.lists(st.sampled_from("sssssslldjp"), max_size=80)):
        position = k * stream.frame + paused
        jitter = draw(st.integers(0, 40 * MS)) + paused
        if kind == "p":
            paused += draw(st.integers(1, 900)) * MS
            continue
        if kind in "sd":
            stream.send(k, jitter, position=position)
        if kind == "d":
            stream.send(k, jitter + draw(st.integers(0, 40 * MS)), position=position)
        if kind == "j":
            stream.send(k, jitter, position=position, payload=b"junk")
        k += 1
    return stream, k * stream.frame + paused


@examples(100)
@given(rough_streams(), st.sampled_from([32, 64, 128, 441]))
def test_what_is_played_is_in_order_and_never_twice(rough, block):
    stream, end = rough
    card = Card.of(stream, block=block).run(end + 100 * MS)
    assert card.counters.restarted == 0
    assert np.all(np.diff(card.positions) > 0)
    assert all(a < b for a, b in pairwise(card.decoder.decoded))
    card.drain()
    assert card.counters.received == len(stream.in_flight)
    assert card.counters.strayed == 0
    assert_balanced(card)


class TestPull:
    def test_silence_before_the_first_packet(self):
        card = Card().run(SECOND)
        assert not card.output.any()
        assert card.playout.delay_frames is None
        assert card.counters.waiting_frames == card.now

    def test_nothing_asked_nothing_made(self):
        assert Playout(PositionDecoder()).pull(0).shape == (0, 2)

    def test_one_frame_at_a_time(self):
        stream = Stream().send_all(1)
        card = Card.of(stream, block=1).run(SECOND // 2)
        whole = Card.of(stream, block=1).run(SECOND // 2)
        np.testing.assert_array_equal(card.output, whole.output)
        assert np.all(np.diff(card.positions) > 0)

    def test_any_frame_length_mid_stream(self):
        position, arrivals = 0, []
        for k, frames in enumerate(FRAME_LENGTHS * 4):
            arrivals.append((position + frames, (k, position, payload_at(position, frames))))
            position += frames
        card = Card(*arrivals, estimator=FixedDelay(2 * max(FRAME_LENGTHS))).run(position)
        assert card.counters.concealed_frames == card.counters.late == 0
        assert np.all(np.diff(card.positions) == 1)


class TestExpect:
    """Frames of 2.5 ms for two seconds, of 10 ms from then on; announced half a second before."""

    def card(self, announced):
        short, long = Stream(120).send_all(2), Stream(480)
        for k in range(200, 400):
            long.in_flight.append((long.captured(k) + long.delay, long.packet(k)))
        numbers = itertools.count()
        sent = [
            (arrival, (next(numbers), *packet[1:]))
            for arrival, packet in short.in_flight + long.in_flight
        ]
        card = Card(*sent).run(3 * SECOND // 2)
        for frames in announced:
            card.playout.expect(frames)
        before = card.counters.concealed_frames
        card.run(4 * SECOND)
        return card, card.counters.concealed_frames - before

    def test_the_first_longer_frame_is_waited_for(self):
        card, concealed = self.card([480])
        assert concealed == card.counters.late == 0
        assert card.counters.inserted_frames > 0

    def test_who_was_not_told_loses_sound(self):
        _, concealed = self.card([])
        assert concealed >= 360

    @pytest.mark.parametrize("told", [[480, 480], [240, 480], [120, 480]])
    def test_it_waits_no_longer_for_being_told_twice(self, told):
        once, twice = self.card([480])[0], self.card(told)[0]
        assert twice.playout.delay_frames == once.playout.delay_frames

    def test_what_has_come_is_not_expected_any_more(self):
        """Frames that became shorter without a word, and are announced longer again."""
        card = self.card([480])[0]
        for k in range(2000, 2400):
            position = 4 * SECOND + (k - 2000) * 120
            card.playout.receive(k, position, payload_at(position, 120), 0.0)
        while card.playout.frame_frames != 120:
            card.run(card.now + 480)
        before = card.playout._estimator.target_frames
        card.playout.expect(480)
        assert card.playout._estimator.target_frames == before + 360

    def test_shorter_frames_need_nothing(self):
        card = Card.of(Stream(480).send_all(4)).run(2 * SECOND)
        before = card.playout.delay_frames
        card.playout.expect(120)
        card.run(2 * SECOND + 4800)
        assert card.playout.delay_frames == before

    def test_before_the_first_packet_there_is_nothing_to_prepare(self):
        card, plain = Card.of(Stream(480).send_all(2)), Card.of(Stream(480).send_all(2))
        card.playout.expect(480)
        np.testing.assert_array_equal(card.run(SECOND).output, plain.run(SECOND).output)


# The delay

FRAMES_AND_BLOCKS = [(120, 64), (120, 128), (240, 64), (480, 256), (960, 128)]


@pytest.mark.parametrize(("frame", "block"), FRAMES_AND_BLOCKS)
class TestConstantNetwork:
    def test_settles_at_what_packets_need(self, frame, block):
        """Capture of a frame, the network, and the wait for the next pull; never 2 ms more."""
        stream = Stream(frame).send_all(4)
        card = Card.of(stream, block=block).run(3 * SECOND)
        needed = max(-(-(frame + stream.delay + k * frame) // block) * block - k * frame
                     for k in range(block))  # fmt: skip
        (delay,) = card.delays_between(2 * SECOND, 3 * SECOND)
        assert needed <= delay <= needed + 64
        assert card.counters.concealed_frames == card.counters.late == 0
        assert np.all(np.diff(card.positions) > 0)

    def test_one_lost_packet_does_not_raise_latency(self, frame, block):
        lost = 3 * SECOND // frame
        card = Card.of(Stream(frame).send_all(6, lost={lost}), block=block).run(6 * SECOND)
        assert card.never_raised(2 * SECOND, 6 * SECOND)
        assert card.counters.concealed_frames == frame
        assert card.counters.late == 0

    def test_a_lost_burst_does_not_raise_latency(self, frame, block):
        lost = range(3 * SECOND // frame, (3 * SECOND + 300 * MS) // frame)
        card = Card.of(Stream(frame).send_all(6, lost=lost), block=block).run(6 * SECOND)
        assert card.never_raised(2 * SECOND, 6 * SECOND)
        assert card.counters.concealed_frames == len(lost) * frame

    def test_loss_in_the_first_second_does_not_either(self, frame, block):
        clean = Card.of(Stream(frame).send_all(3), block=block).run(3 * SECOND)
        lossy = Card.of(Stream(frame).send_all(3, lost={2, 5, 6, 11}), block=block)
        lossy.run(3 * SECOND)
        assert lossy.delays[-1] == clean.delays[-1]


@pytest.mark.slow
def test_one_percent_loss_for_a_minute_does_not_raise_latency():
    frame, block = 240, 128
    packets = 63 * SECOND // frame
    lost = set(np.flatnonzero(np.random.default_rng(1).random(packets) < 0.01))
    card = Card.of(Stream(frame).send_all(63, lost=lost), block=block).run(63 * SECOND)
    assert card.never_raised(2 * SECOND, 63 * SECOND)
    assert len(lost) > 100
    assert card.counters.decoded == pytest.approx(packets - len(lost), abs=20)  # the last in flight
    assert card.counters.late == 0


@pytest.mark.parametrize("frame", [120, 240, 480])
def test_a_slower_route_is_heard_within_a_tenth_of_a_second(frame):
    step = 3 * SECOND
    stream = Stream(frame).send_all(6, delay=lambda t: (20 if t < step else 40) * MS)
    card = Card.of(stream).run(5 * SECOND)
    missing = card.missing_between(step, card.now)
    before = card.delays[step // card.block - 1]
    assert np.ptp(missing) == len(missing) - 1  # one interruption
    assert len(missing) <= 20 * MS + 100 * MS  # 20 ms without packets come first
    assert 20 * MS - 32 <= card.delays[-1] - before <= 20 * MS + 32


@pytest.mark.parametrize("frame", [120, 480])
def test_much_surplus_is_skipped_at_once(frame):
    """The network is 300 ms slower for a second, then as before: splices would take ten seconds."""
    slow = range(3 * SECOND, 4 * SECOND)
    stream = Stream(frame).send_all(18, delay=lambda t: (320 if t in slow else 20) * MS)
    card = Card.of(stream).run(17 * SECOND)
    before = card.delays[2 * SECOND // card.block]
    assert max(d for d in card.delays if d is not None) - before > 250 * MS
    assert card.counters.skipped_frames > 100 * MS
    assert card.delays[-1] <= before + 32
    assert card.counters.removed_frames < 150 * MS


@pytest.mark.parametrize("frame", [120, 480])
def test_a_faster_route_shortens_the_delay(frame):
    stream = Stream(frame).send_all(20, delay=lambda t: (40 if t < 3 * SECOND else 20) * MS)
    card = Card.of(stream, block=128).run(18 * SECOND)
    before = card.delays[2 * SECOND // card.block]
    assert card.delays[-1] <= before - 20 * MS + 32
    assert card.counters.concealed_frames == 0


@pytest.mark.slow
@pytest.mark.parametrize("frame", [120, 480])
def test_delay_follows_jitter_up_and_down(frame):
    random = np.random.default_rng(2)

    def delay(captured):
        jittery = 3 * SECOND <= captured < 8 * SECOND
        return 20 * MS + int(random.integers(0, 15 * MS) if jittery else 0)

    stream = Stream(frame).send_all(24, delay=delay)
    card = Card.of(stream, estimator=accepting(0.05), block=128).run(24 * SECOND)
    calm = card.delays[int(2.9 * SECOND) // card.block]
    rough = card.delays[8 * SECOND // card.block]
    assert rough - calm > 8 * MS
    assert card.delays[-1] <= calm + 48
    missing = card.missing_between(4 * SECOND, 24 * SECOND)
    assert len(missing) < 0.05 * 20 * SECOND


@pytest.mark.slow
@pytest.mark.parametrize("stall_ms", [10, 50])
@pytest.mark.parametrize("frame", [120, 480, 960])
def test_a_rare_stall_does_not_raise_the_delay_for_good(frame, stall_ms):
    """Once in ten seconds, packets are held back, then come all at once."""

    def delay(captured):
        held = stall_ms * MS - (captured - 5 * SECOND) % (10 * SECOND)
        return 20 * MS + (max(0, held) if captured >= 5 * SECOND else 0)

    stream = Stream(frame).send_all(48, delay=delay)
    card = Card.of(stream, estimator=accepting(0.02), block=128).run(48 * SECOND)
    calm = card.delays[int(4.9 * SECOND) // card.block]
    for stall_s in (5, 15, 25, 35):
        later = card.delays_between((stall_s + 4) * SECOND, (stall_s + 10) * SECOND)
        assert max(later) <= calm + 32
    missing = card.missing_between(4 * SECOND, 44 * SECOND)
    assert len(missing) <= 4 * (stall_ms * MS + 2 * frame)


@pytest.mark.parametrize("frame", [120, 960])
def test_swapped_packets_are_all_played(frame):
    stream = Stream(frame)
    for k in range(0, 6 * SECOND // frame, 2):
        stream.send(k, stream.delay + frame + 1)
        stream.send(k + 1, stream.delay)
    card = Card.of(stream).run(1 * SECOND)
    learning = card.counters.late
    card.run(6 * SECOND)
    assert card.counters.late == learning <= 4
    assert not len(card.missing_between(SECOND, card.now))
    assert card.counters.reordered == pytest.approx(3 * SECOND // frame, rel=0.05)
    assert np.all(np.diff(card.positions[: 2 * SECOND]) > 0)


@pytest.mark.slow
@pytest.mark.parametrize("frame", [120, 480, 960])
@pytest.mark.parametrize("outage_ms", [80, 900, 5000])
def test_the_delay_outlives_an_outage(frame, outage_ms):
    gone = range(3 * SECOND // frame, (3 * SECOND + outage_ms * MS) // frame)
    card = Card.of(Stream(frame).send_all(10, lost=gone), block=128).run(10 * SECOND)
    assert len(card.delays_between(2 * SECOND, 10 * SECOND)) == 1
    assert card.counters.restarted == card.counters.late == card.counters.strayed == 0
    assert card.counters.concealed_frames == len(gone) * frame


def test_an_outage_longer_than_the_sequence_numbers_reach():
    frame, gone = 120, 90 * SECOND  # 36 000 packets, more than half of 2**16
    stream = Stream(frame).send_all(1)
    for k in range((SECOND + gone) // frame, (3 * SECOND + gone) // frame):
        stream.send(k)
    card = Card.of(stream, block=480).run(3 * SECOND + gone)
    assert card.counters.reordered == card.counters.strayed == card.counters.late == 0
    assert card.positions[-1] == pytest.approx(3 * SECOND + gone - card.delays[-1], abs=1)


@pytest.mark.parametrize("ppm", [-200, 200])
def test_skewed_clocks_cost_no_sound(ppm):
    stream = Stream(240)
    for k in range(30 * SECOND // 240):
        stream.send(k, stream.delay + round(stream.captured(k) * ppm * 1e-6))
    card = Card.of(stream, block=128).run(29 * SECOND)
    assert card.counters.concealed_frames <= 0.001 * 29 * SECOND  # which is accepted
    drift = card.delays[-1] - card.delays[4 * SECOND // card.block]
    lag = 10 * SECOND * abs(ppm) * 1e-6 + 48  # a maximum of ten seconds leaves that late
    assert abs(drift - 25 * SECOND * ppm * 1e-6) <= lag


class TestStart:
    def test_packets_that_waited_for_the_card_do_not_set_the_delay(self):
        stream = Stream().send_all(3)
        late_card = Card.of(stream)
        while late_card._coming[-1][0] <= SECOND:
            sent = late_card._coming.pop()
            late_card.playout.receive(*sent[1], 0.0)
        late_card._coming = [(arrival - SECOND, packet) for arrival, packet in late_card._coming]
        late_card.run(SECOND)
        prompt = Card.of(stream).run(2 * SECOND)
        assert abs(late_card.delays[-1] + SECOND - prompt.delays[-1]) <= 64
        assert late_card.counters.concealed_frames == 0

    def test_a_card_that_runs_ahead_first_does_not_set_it_either(self):
        """The loop hangs for 300 ms, the card catches up, and only then are packets read."""
        stream = Stream().send_all(3, delay=lambda t: max(20 * MS, 320 * MS - t))
        card = Card.of(stream).run(SECOND)
        prompt = Card.of(Stream().send_all(3)).run(SECOND)
        assert max(d for d in card.delays if d is not None) <= max(
            d for d in prompt.delays if d is not None
        )

    def test_an_early_packet_is_awaited_until_its_deadline(self):
        """The second packet comes first; the first still makes it."""
        stream = Stream()
        stream.send(0, stream.delay + 240)
        stream.send(1)
        card = Card.of(stream).run(100 * MS)
        assert card.decoder.decoded == [0, 120]
        assert card.counters.late == 0

    def test_a_corrupt_first_packet(self):
        stream = Stream()
        stream.send(0, payload=b"junk")
        for k in range(1, 100):
            stream.send(k)
        card = Card.of(stream).run(80 * MS)
        assert card.counters.corrupt == 1
        assert card.counters.concealed_frames == 0  # nothing was heard yet that could go on
        assert card.decoder.decoded[0] == 120


class TestConcealment:
    @pytest.mark.parametrize("frame", FRAME_LENGTHS)
    def test_a_tenth_of_a_second_then_silence(self, frame):
        stream = Stream(frame)
        count = 4 * max(FRAME_LENGTHS) // frame
        for k in range(count):
            stream.send(k)
        card = Card.of(stream).run(SECOND)
        concealed = 100 * MS // frame
        assert card.decoder.concealed == [frame] * concealed
        after = np.rint(card.output[np.flatnonzero(np.rint(card.output[:, 1]) == PLAYED)[-1] + 1 :])
        assert np.all(after[: concealed * frame, 1] == CONCEALED)
        assert not after[concealed * frame :].any()
        assert card.counters.silent_frames == 0

    def test_frames_of_several_opus_frames(self):
        """A packet of three 2.5 ms frames has a length no single frame has."""
        arrivals = [
            (p + 960, (k, p, payload_at(p, 360))) for k, p in enumerate(range(0, 7200, 360))
        ]
        del arrivals[10]
        card = Card(*arrivals, estimator=FixedDelay(1200)).run(7200)
        assert card.decoder.concealed == [360]
        assert card.counters.late == 0

    def test_ends_where_the_next_packet_begins(self):
        """A shorter frame follows a lost longer one."""
        arrivals = [(480, (k, k * 480, payload_at(k * 480, 480))) for k in (0, 1)]
        arrivals.append((960, (3, 1200, payload_at(1200, 120))))
        card = Card(*arrivals, estimator=FixedDelay(960)).run(2200)
        assert card.decoder.concealed[0] == 240
        assert card.decoder.decoded == [0, 480, 1200]

    def test_odd_gaps_are_silent(self):
        arrivals = [(480, (0, 0, payload_at(0, 480))), (500, (2, 500, payload_at(500, 480)))]
        card = Card(*arrivals, estimator=FixedDelay(960)).run(1900)
        assert card.decoder.decoded == [0, 500]
        assert np.all(card.output[960 + 480 : 960 + 500] == 0)

    def test_a_corrupt_packet_is_concealed(self):
        stream = Stream()
        for k in range(100):
            stream.send(k, payload=b"" if k == 50 else None)
        card = Card.of(stream, estimator=FixedDelay(1200)).run(10_000)
        assert card.decoder.concealed == [120]
        assert card.counters.corrupt == 1
        assert card.counters.late == 0

    def test_share(self):
        assert PlayoutCounters().concealed_share == 0
        assert PlayoutCounters(played_frames=900, concealed_frames=100).concealed_share == 0.1


BLOCK = 480
"""Block of the card that hears a sender's pauses."""


class TestSilentSender:
    """Timestamps jump, sequence numbers do not: the sender chose to send nothing."""

    @pytest.mark.parametrize("pause", [120, 125, 4800, 47_000])
    def test_silence_is_not_loss(self, pause):
        stream = Stream()
        for k in range(200):
            jump = pause if k >= 100 else 0
            stream.send(k, stream.delay + jump, position=k * 120 + jump)
        card = Card.of(stream, estimator=FixedDelay(1500)).run(200 * 120 + pause)
        assert sum(card.decoder.concealed) <= 40 * 120  # until the next packet tells
        assert card.counters.decoded == pytest.approx(190, abs=5)
        assert card.counters.strayed == card.counters.restarted == card.counters.late == 0

    def test_known_in_time_it_is_not_concealed(self):
        arrivals = [(0, (0, 0, payload_at(0, 120))), (0, (1, 4000, payload_at(4000, 120)))]
        card = Card(*arrivals, estimator=FixedDelay(480)).run(480 + 4000)
        assert card.counters.silent_frames == 3880
        assert card.decoder.concealed == []

    def pauses(self, pauses, frame, clock_runs=True):
        """A sender that pauses before some packets, and a card half a second after its end."""
        stream, paused = Stream(frame), 0
        talk = 4 * max(FRAME_LENGTHS) // frame
        for k in range(2 * talk + 2 * len(pauses)):
            if k >= talk and (k - talk) % 2 == 0 and (k - talk) // 2 < len(pauses):
                paused += pauses[(k - talk) // 2]
            position = k * frame + (paused if clock_runs else 0)
            stream.send(k, stream.delay + paused, position=position)
        card = Card.of(stream, block=BLOCK).run(stream.in_flight[-1][0] + SECOND // 2)
        return card, card.counters.concealed_frames - card.playout.undecided_frames

    @examples(30)
    @given(st.lists(st.integers(0, 40), min_size=1, max_size=4), st.sampled_from(FRAME_LENGTHS))
    @example([20] * 8, 960)  # comfort noise: a packet every 400 ms
    @example([60 * SECOND // BLOCK], 120)  # muted for a minute
    def test_nothing_was_lost_so_nothing_counts_as_concealed(self, pauses, frame):
        """An encoder's clock goes on in whole frames while it sends nothing.

        And in whole blocks of the card: elsewhere in a block a packet may need more delay.
        """
        step = max(frame, BLOCK)
        card, concealed = self.pauses([pause * step for pause in pauses], frame)
        assert concealed == 0
        assert card.counters.decoded == card.counters.received > 0
        card.drain()
        assert_balanced(card)

    @pytest.mark.parametrize("frame", FRAME_LENGTHS)
    def test_a_mute_that_stops_the_sender_s_clock_is_no_loss_either(self, frame):
        card, concealed = self.pauses([60 * SECOND], frame, clock_runs=False)
        assert card.counters.restarted == 1
        assert concealed == 0

    @examples(60)
    @given(
        st.lists(st.integers(1, SECOND // 2), min_size=1, max_size=4),
        st.sampled_from(FRAME_LENGTHS),
    )
    @example([10_001], 960)
    @example([1, 1, 32, 9087], 1920)
    @example([717, 12678, 526, 1487], 480)
    @example([17851, 18203, 23697], 1920)  # the packet before the last pause is late
    @example([15720, 23075], 120)
    def test_a_stream_that_goes_on_at_any_time_is_heard_again(self, pauses, frame):
        """Its packets need not begin where a whole number of concealed frames ends.

        Where the delay rises meanwhile, as much more is concealed.
        """
        card, concealed = self.pauses(pauses, frame)
        delays = [delay for delay in card.delays if delay is not None]
        risen = sum(max(0, after - before) for before, after in pairwise(delays))
        assert card.counters.late <= 3 * len(pauses)
        assert concealed <= frame * (len(pauses) + card.counters.late) + risen
        assert np.all(np.diff(card.positions) > 0)
        last = card.decoder.decoded[-1]
        assert card.positions[-1] == pytest.approx(last + frame - 1, abs=0.1)
        assert card.counters.decoded == card.counters.received - card.counters.late
        card.drain()
        assert_balanced(card)

    def test_what_is_not_decided_yet_is_said(self):
        card = Card.of(Stream().send_all(1)).run(3 * SECOND)
        assert card.counters.concealed_frames == card.playout.undecided_frames > SECOND

    def test_loss_beside_silence_is_not_forgiven(self):
        """A packet is lost while the sender talks, and one after it had been silent."""
        stream = Stream()
        for k in range(600):
            if k not in (200, 300):
                jump = 400 * MS if k >= 300 else 0
                stream.send(k, stream.delay + jump, position=k * 120 + jump)
        card = Card.of(stream, estimator=FixedDelay(1500)).run(600 * 120 + 400 * MS)
        assert card.counters.concealed_frames - card.playout.undecided_frames == 120 + 120 * MS


class TestStrays:
    def stray(self, card, sequence, timestamp):
        card.playout.receive(sequence, timestamp % 2**32, payload_at(timestamp, 120), 0.0)

    def settled(self, seconds=3, frame=120, until=2 * SECOND):
        return Card.of(Stream(frame).send_all(seconds)).run(until)

    def test_one_changes_nothing(self):
        card = self.settled()
        before = card.playout.delay_frames
        self.stray(card, 5, 10**9)
        card.run(int(2.5 * SECOND))
        assert card.counters.strayed == 1
        assert card.counters.restarted == card.counters.concealed_frames == 0
        assert card.playout.delay_frames == before

    @pytest.mark.parametrize("side", [-1, 1])
    def test_begin_beyond_a_second_from_the_line_of_play(self, side):
        card = Card(*Stream(120).in_flight, estimator=FixedDelay(SECOND))
        self.stray(card, 0, 0)
        card.run(SECOND // 2 * 3 + 480, blocks=[SECOND, SECOND // 2, 480])
        line = card.now - SECOND  # nothing is ready, all frames are multiples of what was pulled
        self.stray(card, 9, line + side * FARTHEST)
        assert card.counters.strayed == 0
        self.stray(card, 9, line + side * (FARTHEST + 1))
        assert card.counters.strayed == 1

    @pytest.mark.parametrize(("first", "second"), [(5, 7), (6, 5), (5, 5)])
    def test_two_that_do_not_follow_each_other_change_nothing(self, first, second):
        card = self.settled()
        self.stray(card, first, 10**9)
        self.stray(card, second, 10**9 + 120)
        assert card.counters.strayed == 2
        assert card.counters.restarted == 0

    def test_a_good_packet_between_them_clears_the_suspicion(self):
        card = self.settled()
        self.stray(card, 5, 10**9)
        card.run(card.now + 10 * MS)
        self.stray(card, 6, 10**9 + 120)
        assert card.counters.restarted == 0

    @pytest.mark.parametrize("origin", [10**9, 2**32 - 5000, -(10**6)])
    def test_a_new_sender_is_heard(self, origin):
        card = self.settled(seconds=2, until=2 * SECOND)
        new = Stream(120, sequence=60_000, timestamp=origin)
        for k in range(400):
            new.send(k)
        card._coming = [(arrival + 2 * SECOND, packet) for arrival, packet in new.in_flight][::-1]
        old = card.counters.decoded
        card.run(int(2.9 * SECOND))
        assert card.counters.restarted == 1
        assert card.counters.strayed == 1  # the first; the old ones were all played
        heard = card.decoder.decoded[old:]
        assert heard == list(range(120, 120 + len(heard) * 120, 120))
        assert len(heard) > 300
        card.drain()
        assert_balanced(card)

    @pytest.mark.parametrize("frame", FRAME_LENGTHS)
    @pytest.mark.parametrize("offset", range(0, 2880, 720))
    def test_a_new_sender_while_much_is_ready(self, frame, offset):
        """Sound decoded before the restart still plays; the new line begins behind it."""
        arrivals = [(0, (k, k * frame, payload_at(k * frame, frame))) for k in range(4)]
        card = Card(*arrivals, estimator=None).run(480 + offset + 1)
        for k in range(4):
            position = 10**6 + k * frame
            self.stray(card, 100 + k, position)
        card.drain()
        assert card.counters.restarted == 1
        assert_balanced(card)


class TestMemory:
    def test_nobody_pulls(self):
        playout = Playout(PositionDecoder())
        for k in range(20_000):
            playout.receive(k % 2**16, k * 120, payload_at(k * 120, 120), 0.0)
        assert kept_items(playout) < 5000
        card = Card()
        card.playout = playout
        card.drain()
        assert_balanced(card)

    def test_nothing_but_strays(self):
        playout = Playout(PositionDecoder())
        for k in range(20_000):
            playout.receive(7 * k % 2**16, k * 10**6 % 2**32, b"", 0.0)
        assert kept_items(playout) < 5000

    def test_late_packets_for_ever(self):
        card = Card.of(Stream().send_all(1)).run(SECOND)
        for k in range(20_000):
            card.playout.receive(0, k % 4000, b"", 0.0)
        assert kept_items(card.playout) < 5000

    def test_a_flood_of_odd_positions(self):
        card = Card.of(Stream().send_all(1)).run(SECOND)
        for k in range(20_000):
            card.playout.receive(k, SECOND + k, payload_at(SECOND + k, 120), 0.0)
        assert kept_items(card.playout) < 5000
        card.drain()
        assert_balanced(card)

    @pytest.mark.parametrize("history_s", [0.5, HISTORY_S, 600.0])
    def test_history_is_bounded_and_as_long_as_was_asked(self, history_s):
        playout = Playout(PositionDecoder(), history_s=history_s)
        assert playout.history.maxlen == pytest.approx(history_s * 400)

    def test_history_goes_back_so_far(self):
        card = Card.of(Stream().send_all(5))
        card.playout = Playout(card.decoder, history_s=2.0)
        card.run(5 * SECOND)
        first, last = card.playout.history[0], card.playout.history[-1]
        assert last.output_frame - first.output_frame == pytest.approx(2 * SECOND, abs=240)


def test_an_old_copy_is_a_duplicate_not_a_late_packet():
    stream = Stream().send_all(2)
    stream.send(400, delay=stream.delay + 900 * MS)
    card = Card.of(stream).run(int(2.4 * SECOND))
    assert card.counters.duplicated == 1
    assert card.counters.late == 0


def with_redundancy(lost, frame, delay):
    """Return a card that gets each packet with a copy of the one before it."""
    stream = Stream(frame, 2**16 - 20, 2**32 - 2500)
    for k in np.flatnonzero(~np.array(lost)):
        if k:
            stream.send_with(k, k - 1, delay(k), Copy)
        stream.send(k, delay(k))
    return Card.of(stream).run((len(lost) * frame) + 100 * MS)


def as_late_as_copies(lost, frame, delay):
    """Return a card that gets no copies, but each packet when it or its copy would come.

    Copies in the very first packet to arrive count for nothing. Also return how many packets were
    lost, and how many overtaken, of which a copy counted.
    """
    stream = Stream(frame, 2**16 - 20, 2**32 - 2500)
    sent = [k for k, is_lost in enumerate(lost) if not is_lost]
    arrival = {k: stream.captured(k) + delay(k) for k in sent}
    first = min(sent, key=arrival.__getitem__)
    carriers = {k - 1: k for k in sent if k not in (0, first)}
    found = [0, 0]
    for k, is_lost in enumerate(lost):
        carrier = carriers.get(k)
        if carrier is not None and (is_lost or arrival[carrier] < arrival[k]):
            stream.send_with(carrier, k, delay(carrier), tuple)
            found[not is_lost] += 1
        elif not is_lost:
            stream.send(k, delay(k))
    return Card.of(stream).run((len(lost) * frame) + 100 * MS), *found


class TestRecover:
    @examples(60)
    @given(
        lost=st.lists(st.sampled_from([False, False, False, True]), max_size=80),
        frame=st.sampled_from([120, 240, 480]),
        jitter=st.lists(st.integers(0, 8 * MS), min_size=1, max_size=20),
    )
    def test_a_copy_is_a_packet_as_late_as_its_carrier(self, lost, frame, jitter):
        def delay(k):
            return 20 * MS + jitter[k % len(jitter)]

        lost = [False, *lost]
        card = with_redundancy(lost, frame, delay)
        truth, repaired, overtaken = as_late_as_copies(lost, frame, delay)
        np.testing.assert_allclose(card.output, truth.output, rtol=0, atol=1e-6)
        assert card.delays == truth.delays
        card.drain()
        truth.drain()
        assert card.counters.duplicated == overtaken
        assert card.counters.recovered == repaired + overtaken
        assert card.counters.received == truth.counters.received + overtaken
        assert_balanced(card)

    @pytest.mark.slow
    @pytest.mark.parametrize("frame", [120, 480])
    def test_single_losses_cost_no_sound_and_one_packet_of_delay(self, frame):
        rng = np.random.default_rng(1)
        lost = [False, *(rng.random(20 * SECOND // frame) < 0.01)]
        card = with_redundancy(lost, frame, lambda _: 20 * MS)
        settled, end = 5 * SECOND, 20 * SECOND
        runs = sum(all(pair) for pair in pairwise(lost[settled // frame :]))
        assert card.missing_between(settled, end).size <= runs * (frame + 64)
        plain = with_redundancy([False] * len(lost), frame, lambda _: 20 * MS)
        added = card.delays[end // 64] - plain.delays[end // 64]
        assert frame - 64 < added < frame + 64

    def test_a_copy_of_what_has_come_changes_nothing(self):
        """Also of a packet that came too late to be played, and of one played long ago."""
        stream, copied = Stream(), Stream()
        for k in range(400):
            late = 80 * MS if k == 200 else 0
            for each in stream, copied:
                each.send(k, each.delay + late)
            copied.send_with(k, max(k - 20, 0), stream.delay + 90 * MS, Copy)
        cards = [Card.of(each).run(2 * SECOND) for each in (stream, copied)]
        np.testing.assert_array_equal(cards[0].output, cards[1].output)
        assert cards[0].counters == cards[1].counters
        assert cards[0].counters.late > 0

    def test_a_stream_does_not_begin_or_begin_anew_with_a_copy(self):
        card = Card()
        card.playout.recover(0, 0, payload_at(0, 120), 0.0)
        assert card.counters == PlayoutCounters()
        card.playout.receive(1, 120, payload_at(120, 120), 0.0)
        for sequence in (50, 51, 52):
            card.playout.recover(sequence, 2**31, payload_at(0, 120), 0.0)
        assert (card.counters.received, card.counters.strayed, card.counters.restarted) == (1, 0, 0)


def test_history_tells_where_each_packet_went():
    """Against the output itself: the first sample of each packet stands where history says."""
    stream = Stream(120, timestamp=2**32 - 4000).send_all(2, lost={100, 300})
    card = Card.of(stream).run(2 * SECOND)
    output = card.output
    assert len(card.playout.history) == card.counters.decoded
    for packet, position in zip(card.playout.history, card.decoder.decoded, strict=True):
        if packet.output_frame >= len(output):
            continue
        assert packet.timestamp == (position + 2**32 - 4000) % 2**32
        assert packet.arrival_s == (position + 120 + stream.delay) / SAMPLE_RATE
        assert output[packet.output_frame, 0] == pytest.approx(position, abs=0.1)
        assert np.rint(output[packet.output_frame, 1]) == PLAYED


@pytest.mark.parametrize("frame", [120, 480, 960])
def test_knows_the_senders_frames_and_its_own_clock(frame):
    card = Card.of(Stream(frame).send_all(1))
    assert card.playout.frame_frames is None
    card.run(SECOND)
    assert card.playout.frame_frames == frame
    assert card.playout.pulled_frames == card.now
    card.playout.miss(64)
    assert card.playout.pulled_frames == card.now + 64


# With the codec


def music(frames, seed=3):
    """Low-passed noise: something every stretch of which is unlike any other."""
    noise = np.random.default_rng(seed).standard_normal((frames, 2))
    smooth = np.apply_along_axis(lambda x: np.convolve(x, np.hanning(32), "same"), 0, noise)
    return (0.25 * smooth / np.abs(smooth).max()).astype(np.float32)


def opus_stream(quality, pcm, lost=()):
    encoder = OpusEncoder(quality)
    stream = Stream(quality.frame_frames)
    for k in range(len(pcm) // stream.frame):
        payload = encoder.encode(pcm[k * stream.frame : (k + 1) * stream.frame])
        if k not in lost:
            stream.send(k, payload=payload)
    return stream


def correlation(one, other):
    return float(np.corrcoef(one[:, 0], other[:, 0])[0, 1])


@pytest.mark.parametrize("quality", [LOW_LATENCY, HIGH_QUALITY], ids=lambda q: q.name)
class TestWithOpus:
    def test_delay_is_what_the_sound_has(self, quality: Quality):
        """Frame `n` of the card is capture position ``n - delay - lookahead``."""
        pcm = music(3 * SECOND)
        card = Card.of(opus_stream(quality, pcm), decoder=OpusDecoder()).run(3 * SECOND)
        (delay,) = card.delays_between(2 * SECOND, 3 * SECOND)
        start = 2 * SECOND - delay - quality.lookahead_frames
        scores = {
            shift: correlation(
                card.output[2 * SECOND : 2 * SECOND + 9600],
                pcm[start + shift : start + shift + 9600],
            )
            for shift in range(-3, 4)
        }
        assert max(scores, key=scores.__getitem__) == 0
        assert scores[0] > 0.95

    def test_loss_leaves_no_silence_and_no_latency(self, quality: Quality):
        pcm = music(4 * SECOND)
        lost = set(range(200, 4 * SECOND // quality.frame_frames, 20))
        stream = opus_stream(quality, pcm, lost)
        settled = accepting(0.05)  # after the beginning no splice moves the sound
        card = Card.of(stream, estimator=settled, decoder=OpusDecoder()).run(int(3.9 * SECOND))
        assert len(card.delays_between(3 * SECOND, int(3.9 * SECOND))) == 1
        power = (card.output[3 * SECOND :, 0] ** 2).reshape(-1, 480).mean(axis=1)
        assert power.min() > 0.01 * np.median(power)
        start = 3 * SECOND - card.delays[-1] - quality.lookahead_frames
        heard = card.output[3 * SECOND :]
        scores = {
            shift: correlation(heard, pcm[start + shift : start + shift + len(heard)])
            for shift in range(-3, 4)
        }
        assert max(scores, key=scores.__getitem__) == 0
        assert scores[0] > 0.5  # how well noise is concealed varies with the processor

    def test_junk_payloads_do_not_stop_the_music(self, quality: Quality):
        pcm = music(2 * SECOND)
        stream = opus_stream(quality, pcm)
        junk = np.random.default_rng(4)
        for k in range(0, len(stream.in_flight), 9):
            arrival, (sequence, timestamp, payload) = stream.in_flight[k]
            bad = bytes([payload[0] | 3]) + junk.bytes(len(payload) - 1)  # code 3: a frame count
            stream.in_flight[k] = arrival, (sequence, timestamp, bad)
        card = Card.of(stream, decoder=OpusDecoder()).run(2 * SECOND)
        assert np.isfinite(card.output).all()
        card.drain()
        assert card.counters.received == len(stream.in_flight)
        assert_balanced(card)


PACKETS = [120, 240, 480, 960, 1920, 2880, 3840, 4800, 5760]  # RFC 6716 §2.1.4, §3.2.5


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", PACKETS)
def test_packets_of_any_length_and_channels_are_heard(frames, channels):
    """Of another encoder: libopus itself, as a browser calls it."""
    pcm = music(4 * SECOND)[:, :channels]
    state = encoder.create_state(SAMPLE_RATE, channels, APPLICATION_AUDIO)
    encoder.encoder_ctl(state, ctl.set_bitrate, 128_000)
    stream = Stream(frames)
    for k in range(len(pcm) // frames):
        samples = np.ascontiguousarray(pcm[k * frames : (k + 1) * frames])
        pointer = samples.ctypes.data_as(c_float_pointer)
        stream.send(k, payload=encoder.encode_float(state, pointer, frames, 4000))
    encoder.destroy(state)
    settled = accepting(0.05)  # after the beginning no splice moves the sound
    card = Card.of(stream, estimator=settled, decoder=OpusDecoder()).run(int(3.5 * SECOND))
    assert card.counters.concealed_frames == card.counters.late == 0
    start = 3 * SECOND - card.delays[3 * SECOND // card.block] - 312  # RFC 6716's look-ahead
    heard = card.output[3 * SECOND : 3 * SECOND + 9600]
    for side in 0, 1:
        played = pcm[start : start + len(heard), min(side, channels - 1)]
        assert np.corrcoef(heard[:, side], played)[0, 1] > 0.9


class TestMissedByTheCard:
    """The card was called too late, several blocks at once; packets came after that."""

    STALL = 40 * MS

    def stalled(self, miss):
        """Packets of a stall of 40 ms come right after it; the card catches up in between."""
        stream = Stream()
        stall = range(3 * SECOND, 3 * SECOND + self.STALL)
        stream.send_all(5, delay=lambda t: stall.stop - t + 96 if t in stall else 2 * MS)
        card = Card.of(stream).run(stall.start)
        while card.now < stall.stop:
            if miss:
                card.playout.miss(card.block)
                card.now += card.block
            else:
                card._pull(card.block)
        return card.run(4 * SECOND)

    def test_a_miss_is_a_pull_that_is_counted(self):
        missed, pulled = Playout(PositionDecoder()), Playout(PositionDecoder())
        for playout in (missed, pulled):
            playout.receive(0, 0, payload_at(0, 120), 0.0)
        missed.miss(64)
        pulled.pull(64)
        assert missed.delay_frames == pulled.delay_frames
        np.testing.assert_array_equal(missed.pull(960), pulled.pull(960))
        assert missed.counters.missed_frames == 64
        assert made_frames(missed.counters) == made_frames(pulled.counters)

    def test_before_the_first_packet_a_miss_is_silence(self):
        playout = Playout(PositionDecoder())
        playout.miss(64)
        assert playout.delay_frames is None
        assert playout.counters.waiting_frames == 64

    def test_what_no_delay_could_mend_asks_for_none(self):
        card = self.stalled(miss=True)
        assert card.counters.missed_frames >= self.STALL
        assert card.playout._estimator.target_frames < self.STALL // 2
        assert card.delays[-1] - card.playout._estimator.target_frames <= 48

    def test_what_was_invented_for_missed_blocks_is_not_heard(self):
        missed, pulled = self.stalled(miss=True).counters, self.stalled(miss=False).counters
        assert missed.unheard_frames > self.STALL // 2
        assert pulled.unheard_frames == 0
        assert missed.concealed_frames < pulled.concealed_frames
        assert missed.unheard_frames <= missed.missed_frames

    def test_packets_due_after_the_miss_count_as_ever(self):
        """Late for the first block the card did play: that a longer delay would have mended."""
        playout = Playout(PositionDecoder(), estimator := Listening())
        for k in range(4):
            playout.receive(k, 120 * k, payload_at(120 * k, 120), 0.0)
        playout.pull(64)
        playout.miss(64)
        line = playout.pulled_frames - playout.delay_frames
        estimator.heard.clear()
        before, after = (line // 120 - 1) * 120, (line // 120 + 8) * 120
        playout.receive(100, before, payload_at(before, 120), 0.0)
        playout.receive(101, after, payload_at(after, 120), 0.0)
        playout.pull(64)
        assert estimator.heard == [128 - after]


class Listening(FixedDelay):
    """Remembers what it was told."""

    def __init__(self):
        super().__init__(480)
        self.heard = []

    def observe(self, now_frames, needed_frames):
        self.heard.append(needed_frames)
        super().observe(now_frames, needed_frames)
