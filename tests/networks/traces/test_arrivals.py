"""Recordings of our own packets: their delays, by peer."""

from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jamlab.mesh.packet_log import PacketLog
from jamlab.networks.model.delay_table import TraceError
from jamlab.networks.traces.arrivals import ARRIVALS, read_arrivals, write_arrivals

DELAYS_MS = [0, 3, 8, 1, 0, 2]


def columns(peer, n, lost=()):
    """Return a row for each packet of a peer, sent every 2.5 ms."""
    kept = [k for k in range(n) if k not in lost]
    return {
        "peer": [peer] * len(kept),
        "sequence": [(65_530 + k) % 65_536 for k in kept],
        "timestamp": [(2**32 - 240 + 120 * k) % 2**32 for k in kept],
        "arrival_s": [77.0 + k * 0.0025 + DELAYS_MS[k % 6] / 1000 for k in kept],
        "size_bytes": [80] * len(kept),
    }


def recorded(n=60, schema=ARRIVALS, **options):
    out = BytesIO()
    tables = [
        pa.table(columns(peer, k, **options), schema) for peer, k in (("a", n), ("b", n // 2))
    ]
    pq.write_table(pa.concat_tables(tables), out)
    return out.getvalue()


def read(data, peer=None):
    return read_arrivals(BytesIO(data), "session.parquet", peer)


class TestReadArrivals:
    @pytest.mark.parametrize(("peer", "packets"), [(None, 60), ("a", 60), ("b", 30)])
    def test_has_a_peers_delays(self, peer, packets):
        trace = read(recorded(), peer)
        assert trace.delay_s * 1000 == pytest.approx((DELAYS_MS * 10)[:packets], abs=1e-6)
        assert trace.sent_s == pytest.approx(np.arange(packets) * 0.0025)

    def test_lost_packets_are_told_by_their_numbers(self):
        trace = read(recorded(lost=(4, 17)), "a")
        assert np.flatnonzero(~trace.received).tolist() == [4, 17]

    def test_says_who_was_recorded(self):
        with pytest.raises(TraceError, match="no packets of carol: choose a, b"):
            read(recorded(), "carol")

    def test_refuses_other_tables(self):
        other = BytesIO()
        pq.write_table(pa.table({"peer": ["a"]}), other)
        with pytest.raises(TraceError, match="other columns"):
            read(other.getvalue())

    def test_refuses_a_session_alone(self):
        with pytest.raises(TraceError, match="has no packets"):
            read(recorded(n=0))


class TestWriteArrivals:
    def test_a_log_is_read_as_a_trace(self, tmp_path):
        log, rows = PacketLog(), columns("a", 60)
        for k in range(60):
            log.note(
                *(rows[name][k] for name in ("peer", "sequence", "timestamp", "size_bytes")),
                rows["arrival_s"][k],
            )
        path = tmp_path / "new" / "session.parquet"
        write_arrivals(path, log.columns())
        assert read(path.read_bytes()).delay_s * 1000 == pytest.approx(DELAYS_MS * 10, abs=1e-6)
        assert pq.read_schema(path) == ARRIVALS

    def test_an_empty_log_is_written(self, tmp_path):
        write_arrivals(tmp_path / "alone.parquet", PacketLog().columns())
        assert pq.read_table(tmp_path / "alone.parquet").num_rows == 0
