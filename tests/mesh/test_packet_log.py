"""The log of packets: its columns, and its end."""

from jamlab.media.opus import OpusDecoder
from jamlab.media.playout.playout import Playout
from jamlab.mesh.connection.events import RemoteStreamAdded, RemoteStreamEnded
from jamlab.mesh.packet_log import PacketLog


def test_keeps_what_is_noted():
    log = PacketLog()
    log.note("ada", 65_535, 2**32 - 1, 60, 1.25)
    log.note("ben", 0, 0, 1500, 1.5)
    log.note("ada", 0, 119, 61, 1.75)
    assert {name: list(column) for name, column in log.columns().items()} == {
        "peer": ["ada", "ben", "ada"],
        "sequence": [65_535, 0, 0],
        "timestamp": [2**32 - 1, 0, 119],
        "arrival_s": [1.25, 1.5, 1.75],
        "size_bytes": [60, 1500, 61],
    }
    assert (len(log), log.omitted) == (3, 0)


def test_follows_streams_from_their_start():
    log, playout = PacketLog(), Playout(OpusDecoder())
    log.follow(RemoteStreamAdded("ada", playout))
    log.follow(RemoteStreamEnded("ada"))
    playout.receive(65_535, 2**32 - 1, b"an Opus packet", 1.25)
    assert {name: list(column) for name, column in log.columns().items()} == {
        "peer": ["ada"],
        "sequence": [65_535],
        "timestamp": [2**32 - 1],
        "arrival_s": [1.25],
        "size_bytes": [14],
    }


def test_keeps_the_first():
    log = PacketLog(most=2)
    for number in range(5):
        log.note("ada", number, 0, 0, 0.0)
    assert (list(log.columns()["sequence"]), log.omitted) == ([0, 1], 3)
