"""What a record keeps of reports: the readings of each clock, side by side."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.live_mesh.record import CLICK_COLUMNS, MeshRecord, record_of
from jamlab.measure.record import RecordError
from tests.measure.live_mesh.reports import FLOOR_MS, PACKET_FRAMES, Mesh, even_mesh
from tests.measure.live_mesh.simulated_mesh import clock

CLOCKS = {"ada": clock(), "ben": clock(7200.0, 2e-4), "cleo": clock(-30.0, -1e-4)}


@pytest.fixture(scope="module")
def mesh():
    return Mesh(CLOCKS, lambda a, b: 0.03, lambda a, b: 0.015, heard=lambda a, b, k: k != 3)


@pytest.fixture(scope="module")
def record(mesh):
    return mesh.record(dan=None, eva="busy")


def pair(table, sender, receiver):
    return table[(table["sender"] == sender) & (table["receiver"] == receiver)]


def test_clicks_are_readings_of_both_clocks(mesh, record):
    clicks = pair(record.clicks, "ada", "ben")
    emitted_s = [CLOCKS["ada"].at(mesh.emitted_s("ada", k)) for k in range(24)]
    np.testing.assert_allclose(clicks["emitted_s"], emitted_s, rtol=0, atol=1e-7)
    heard_s = np.array([CLOCKS["ben"].at(mesh.emitted_s("ada", k) + 0.03) for k in range(24)])
    heard_s[3] = np.nan
    np.testing.assert_allclose(clicks["heard_s"], heard_s, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("sender", "receiver"), [("ada", "ben"), ("ben", "cleo"), ("cleo", "ada")])
def test_packets_are_recognised_at_both_ends_though_timestamps_wrap(record, sender, receiver):
    packets = pair(record.packets, sender, receiver)
    sent_s = CLOCKS[sender].true_s(packets["sent_s"])
    came_s = CLOCKS[receiver].true_s(packets["came_s"])
    assert len(packets) == 16
    np.testing.assert_allclose(came_s - sent_s, 0.015, atol=1e-6)


def test_the_floor_is_packet_look_ahead_and_block(record):
    assert record.streams["floor_ms"].tolist() == pytest.approx([FLOOR_MS] * 6)
    assert FLOOR_MS > PACKET_FRAMES / SAMPLE_RATE * 1000


def test_who_did_not_take_part_is_listed_and_in_no_pair(record):
    told = record.participants.set_index("name")["answer"]
    assert told.to_dict() == {
        "ada": "report",
        "ben": "report",
        "cleo": "report",
        "dan": "none",
        "eva": "busy",
    }
    assert set(record.clicks["sender"]) == set(CLOCKS)
    assert record.participants.set_index("name")["underrun_share"]["ada"] == 0.01


def test_packets_of_another_stream_are_nobodys():
    """A connection that was replaced counts its timestamps from elsewhere."""
    mesh = even_mesh()
    arrivals = mesh.arrivals

    def replaced(sender, receiver):
        for number, (timestamp, came_s) in enumerate(arrivals(sender, receiver)):
            yield (timestamp + (1 << 31) * (number % 2)) % 2**32, came_s

    mesh.arrivals = replaced
    packets = mesh.record().packets
    assert len(pair(packets, "ada", "ben")) == 8
    np.testing.assert_allclose(packets["came_s"] - packets["sent_s"], 0.015, atol=1e-6)


def test_packets_from_before_the_start_are_left_out():
    """Their length is not the one that is told."""
    mesh = even_mesh()
    origin = mesh.origin
    arrivals = list(mesh.arrivals("ada", "ben"))
    early = ((origin("ada", "ben") - 480) % 2**32, arrivals[0][1] - 0.01)
    mesh.arrivals = lambda sender, receiver: [early, *arrivals]
    assert len(pair(mesh.record().packets, "ada", "ben")) == len(arrivals)


def test_those_who_are_not_connected_are_no_pair():
    mesh = even_mesh()
    reports = {name: mesh.report(name) for name in mesh.clocks}
    del reports["ben"].hearings["ada"]
    record = record_of(mesh.request, reports)
    assert pair(record.streams, "ada", "ben").empty
    assert not pair(record.streams, "ben", "ada").empty
    assert pair(record.packets, "ben", "ada").empty


def test_alone_it_is_an_empty_record_with_every_column():
    mesh = even_mesh()
    record = record_of(mesh.request, {"ada": mesh.report("ada"), "ben": None})
    assert list(record.clicks.columns) == list(CLICK_COLUMNS)
    assert len(record.clicks) == len(record.streams) == len(record.packets) == 0


def test_it_is_the_same_from_disk(record, tmp_path):
    again = MeshRecord.load(record.save(tmp_path / "mesh"))
    for name in ("participants", "streams", "clicks", "packets"):
        read, written = getattr(again, name), getattr(record, name)
        pd.testing.assert_frame_equal(read, written, check_dtype=False)  # of strings
    assert again.provenance == record.provenance
    assert again.provenance["parameters"]["asked"] == ["ada", "ben", "cleo"]
    assert math.isnan(again.participants.set_index("name")["lag_p99_ms"]["dan"])


def test_a_missing_file_or_column_is_named(record, tmp_path):
    with pytest.raises(RecordError, match=r"provenance\.json is missing"):
        MeshRecord.load(tmp_path)
    folder = record.save(tmp_path / "mesh")
    record.clicks.drop(columns="heard_s").to_parquet(folder / "clicks.parquet")
    with pytest.raises(RecordError, match=r"clicks\.parquet lacks the columns \['heard_s'\]"):
        MeshRecord.load(folder)


def test_a_participant_that_is_there_twice_is_refused(record, tmp_path):
    twice = pd.concat([record.participants, record.participants.iloc[:1]])
    replace(record, participants=twice).save(tmp_path)
    with pytest.raises(RecordError, match="has the participant 'ada' twice: measure again"):
        MeshRecord.load(tmp_path)
