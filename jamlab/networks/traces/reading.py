"""Reading of a trace from a file in any of the known formats, told apart by their content."""

import gzip
import zlib
from io import BytesIO
from pathlib import Path

from jamlab.networks.model.delay_table import TraceError, has_header, read_delays
from jamlab.networks.model.packet_trace import PacketTrace
from jamlab.networks.model.trace import DelayTrace
from jamlab.networks.traces.arrivals import read_arrivals
from jamlab.networks.traces.capture import is_capture
from jamlab.networks.traces.clock import on_one_clock
from jamlab.networks.traces.opportunities import read_opportunities
from jamlab.networks.traces.rtp_capture import read_capture

MOST_BYTES = 1 << 29
"""The longest file, unpacked."""
KINDS = (
    "CSV with sent_ms and delay_ms or rtt_ms, Mahimahi's times of delivery, pcap or pcapng of RTP, "
    "or Parquet of jamlab's packets"
)
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"


def read_trace(path: Path, stream: str | None = None) -> PacketTrace:
    """Read a trace, gzipped or not; raises `TraceError`, which says in a sentence what is wrong.

    Parameters
    ----------
    path : Path
        The file: CSV, Mahimahi's format, pcap or pcapng, or Parquet that jamlab has recorded.
    stream : str, optional
        In a file of several streams the one to take: an SSRC, or the name of a peer; by default
        the one with most packets.

    Examples
    --------
    >>> from jamlab.resources import data_path
    >>> trace = read_trace(data_path("5g_public_car.csv.gz"))
    >>> trace.name, round(trace.duration_s), trace.notes
    ('5g_public_car.csv.gz', 84, ('each delay is half of a round trip',))
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TraceError(f"the trace {path} cannot be read: {reason}") from None
    return trace_in(data, path.name, stream)


def trace_in(data: bytes, name: str, stream: str | None = None) -> PacketTrace:
    """Read a trace from the content of a file; errors as in `read_trace`."""
    data = _unpacked(data, name)
    if not data.strip():
        raise TraceError(f"{name} is empty: give {KINDS}")
    trace: PacketTrace
    if is_capture(data):
        return read_capture(data, name, stream)
    if data.startswith(_PARQUET):
        return read_arrivals(BytesIO(data), name, stream)
    if stream is not None:
        raise TraceError(f"{name} has one stream only: leave {stream} out")
    trace = _text_trace(data, name)
    return on_one_clock(trace) if isinstance(trace, DelayTrace) else trace


def _unpacked(data: bytes, name: str) -> bytes:
    if data.startswith(_GZIP):
        try:
            with gzip.open(BytesIO(data)) as file:
                data = file.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise TraceError(f"{name} is damaged: it does not unpack to its end") from None
    if len(data) > MOST_BYTES:
        raise TraceError(f"{name} is longer than {MOST_BYTES >> 20} MiB: cut it")
    return data


def _text_trace(data: bytes, name: str) -> PacketTrace:
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = []
    first = next((line for line in lines if line.strip()), "")
    if has_header(first):
        return read_delays(lines[lines.index(first) :], name)
    if first.strip().isdecimal():
        return read_opportunities(lines, name)
    raise TraceError(f"{name} is no trace: give {KINDS}")
