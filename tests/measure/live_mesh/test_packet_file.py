"""A session's packets in a file: those of streams during the context, and what is said of it."""

from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from jamlab.measure.live_mesh.packet_file import recorded
from jamlab.media.opus import OpusDecoder
from jamlab.media.playout.playout import Playout
from jamlab.mesh.connection.events import Listeners, RemoteStreamAdded


@pytest.fixture
def streams():
    return Listeners()


@pytest.fixture
def session(streams):
    return SimpleNamespace(service=SimpleNamespace(on_remote_stream=streams.add))


def test_is_written_after_the_context(session, streams, tmp_path):
    told, playout, path = [], Playout(OpusDecoder()), tmp_path / "new" / "session.parquet"
    with recorded(session, path, told.append):
        streams.emit(RemoteStreamAdded("ada", playout))
        for number in range(3):
            playout.receive(number, 120 * number, bytes(number), 0.5 * number)
        assert not path.exists()
    assert told == [f"3 packets are recorded in {path}"]
    assert pq.read_table(path).to_pydict() == {
        "peer": ["ada"] * 3,
        "sequence": [0, 1, 2],
        "timestamp": [0, 120, 240],
        "arrival_s": [0.0, 0.5, 1.0],
        "size_bytes": [0, 1, 2],
    }
    assert not streams


def test_nothing_is_written_without_a_file(session, streams):
    with recorded(session, None, pytest.fail):
        assert not streams


def test_a_file_that_cannot_be_written_is_said(session, tmp_path):
    told = []
    (tmp_path / "file").touch()
    with recorded(session, tmp_path / "file" / "in it", told.append):
        pass
    assert told == [f"{tmp_path}/file/in it cannot be written: File exists"]
