"""The packet buffer against numbers that never wrap around."""

from hypothesis import given
from hypothesis import strategies as st

from jamlab.media.playout.counters import PlayoutCounters
from jamlab.media.playout.packets import FARTHEST, PacketBuffer
from tests.examples import examples


def filled(*positions):
    buffer = PacketBuffer(PlayoutCounters())
    for number, position in enumerate(positions):
        buffer.add(buffer.unwrap(number, position, b"", 0.0))
    return buffer


@examples(100)
@given(
    sequence=st.integers(0, 2**16 - 1),
    timestamp=st.integers(0, 2**32 - 1),
    order=st.lists(st.integers(0, 400), min_size=1, max_size=60),
    frame=st.sampled_from([120, 240, 480, 960, 2880]),
)
def test_numbers_go_on_past_their_wrap_around(sequence, timestamp, order, frame):
    """Packets in any order, up to 400 apart: no further than half of either number's range."""
    buffer = PacketBuffer(PlayoutCounters())
    for number in order:
        wrapped = (sequence + number) % 2**16, (timestamp + number * frame) % 2**32
        packet = buffer.unwrap(*wrapped, b"", 0.0)
        buffer.add(packet)
        if number == order[0]:
            first = packet.position - number * frame, packet.sequence - number
        assert (packet.position - number * frame, packet.sequence - number) == first


def test_a_packet_is_measured_against_the_newest_until_something_is_played():
    buffer = filled(0, 120)
    assert not buffer.is_stray(buffer.unwrap(2, 120 + FARTHEST, b"", 0.0))
    assert buffer.is_stray(buffer.unwrap(2, 121 + FARTHEST, b"", 0.0))
    buffer.line = 240
    assert not buffer.is_stray(buffer.unwrap(2, 240 + FARTHEST, b"", 0.0))


def test_a_sender_starts_anew_by_two_strays_in_a_row():
    buffer = filled(0)
    strays = [buffer.unwrap(number, 2**31, b"", 0.0) for number in (50, 70, 71)]
    assert [buffer.begins_anew(stray) for stray in strays] == [False, False, True]


def test_a_packet_of_the_timeline_between_two_strays_tells_that_it_goes_on():
    buffer = filled(0)
    assert not buffer.begins_anew(buffer.unwrap(50, 2**31, b"", 0.0))
    buffer.add(buffer.unwrap(1, 120, b"", 0.0))
    assert not buffer.begins_anew(buffer.unwrap(51, 2**31 + 120, b"", 0.0))


def test_packets_that_the_line_of_play_passes_over_are_late():
    buffer = filled(0, 120, 240)
    buffer.line = 0
    assert buffer.take_due().position == 0
    buffer.advance(121)
    assert buffer.take_due() is None
    assert buffer.following.position == 240
    assert buffer._counters.late == 1
