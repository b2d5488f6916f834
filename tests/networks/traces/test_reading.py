"""Files of every kind, and what no trace is: one sentence for each."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.networks.model.delay_table import TraceError
from jamlab.networks.model.delivery import DeliveryTrace
from jamlab.networks.model.trace import DelayTrace
from jamlab.networks.traces.reading import read_trace, trace_in
from tests.examples import examples
from tests.networks.traces.captures import ethernet, ipv4, pcap, pcapng, rtp, udp
from tests.networks.traces.test_arrivals import recorded

GOOD = "sent_ms,delay_ms\n" + "".join(f"{10 * k},{5 + k % 7}\n" for k in range(50))
ROUND_TRIPS = GOOD.replace("delay_ms", "rtt_ms")


def table(*rows, header="sent_ms,delay_ms"):
    """Return a table of good rows with others in line 12 and on."""
    good = GOOD.splitlines()[1:]
    return "\n".join([header, *good[:10], *rows, *good[10:]])


class TestKinds:
    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    def test_delays(self, tmp_path, pack):
        path = tmp_path / "wifi.csv"
        path.write_bytes(pack(GOOD.encode()))
        trace = read_trace(path)
        assert isinstance(trace, DelayTrace)
        assert not trace.absolute
        assert trace.name == "wifi.csv"
        assert trace.delay_s.tolist() == [(5 + k % 7) / 1000 for k in range(50)]
        assert trace.sent_s.tolist() == [10 * k / 1000 for k in range(50)]

    def test_half_of_round_trips(self):
        trace = trace_in(ROUND_TRIPS.encode(), "5g")
        assert trace.delay_s.tolist() == [(5 + k % 7) / 2000 for k in range(50)]
        assert trace.absolute
        assert trace.notes == ("each delay is half of a round trip",)

    def test_lost_packets_have_no_delay(self):
        trace = trace_in(table("95,", "96, ").encode(), "t")
        assert np.flatnonzero(~trace.received).tolist() == [10, 11]

    def test_times_begin_anywhere_and_may_be_equal(self):
        rows = "".join(f"{1e6 + 10 * (k // 2)},5\n" for k in range(20))
        trace = trace_in(
            "\ufeffDelay_ms , note,SENT_MS\n".encode()
            + b"".join(
                b"%s,x,%s\n" % tuple(reversed(row.encode().split(b",")))
                for row in rows.splitlines()
            ),
            "t",
        )
        assert trace.sent_s[0] == 0
        assert trace.sent_s[-1] == pytest.approx(0.09)

    def test_opportunities(self):
        trace = trace_in(b"0\n5\n5\r\n\n12\n", "uplink")
        assert isinstance(trace, DeliveryTrace)
        assert trace.times_s == [0.0, 0.005, 0.005, 0.012]

    @pytest.mark.parametrize("drift_ppm", [-200, 150])
    def test_the_drift_of_two_clocks_is_removed_and_told(self, drift_ppm):
        rng = np.random.default_rng(1)
        sent_ms = np.arange(20_000) * 10.0
        waits_ms = rng.exponential(3, 20_000)
        delay_ms = 100 + waits_ms + sent_ms * drift_ppm * 1e-6
        lines = [f"{sent:.3f},{delay:.4f}" for sent, delay in zip(sent_ms, delay_ms, strict=True)]
        trace = trace_in("\n".join(["sent_ms,delay_ms", *lines]).encode(), "t")
        assert trace.delay_s * 1000 == pytest.approx(waits_ms, abs=0.5)
        assert "ppm between two clocks is removed" in trace.notes[0]


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "out of order": (table("5,3").encode(), "line 12 of .* was sent at 5 ms, before"),
    "negative delay": (table("95,-3").encode(), "line 12 .*below 0, -3 ms"),
    "not a number": (table("95,x").encode(), "line 12 .*'x' as delay_ms"),
    "NaN": (table("95,nan").encode(), "line 12 .*'nan' as delay_ms"),
    "infinite": (table("inf,3").encode(), "line 12 .*'inf' as sent_ms"),
    "missing value": (table("95").encode(), "line 12 .*1 values for 2 columns"),
    "two packets": (b"sent_ms,delay_ms\n0,1\n10,2\n", "2 packets that arrived: give 10"),
    "all lost": (b"sent_ms,delay_ms\n" + b"".join(b"%d,\n" % k for k in range(99)), "0 packets"),
    "only a header": (b"sent_ms,delay_ms\n", "0 packets"),
    "another column": (b"sent_ms,latency\n0,1\n", "no column delay_ms"),
    "no times": (b"time,delay_ms\n0,1\n", "no column sent_ms"),
    "gap of minutes": (
        (GOOD + "200000,5\n").encode(),
        "gap of 200 s after 0 s: cut it there",
    ),
    "another clock": (table("95,1e9").encode(), "line 12 .*1000000 s, so two clocks disagree"),
    "a clock that was set": (
        b"sent_ms,delay_ms\n"
        + b"".join(b"%d,%d\n" % (100 * k, 5 + 5000 * (k > 200)) for k in range(400)),
        r"jumps by \+5.0 s after 2\d s for good",
    ),
    "a clock that runs away": (
        b"sent_ms,delay_ms\n" + b"".join(b"%d,%d\n" % (100 * k, k) for k in range(400)),
        r"changes by \+10 ms a second from beginning to end",
    ),
    "no trace": (b"Dear Sir or Madam,\n", "is no trace: give CSV"),
    "binary": (bytes(range(256)), "is no trace: give CSV"),
    "broken gzip": (gzip.compress(GOOD.encode())[:-12], "does not unpack"),
    "broken Parquet": (b"PAR1" + bytes(100), "no recording of packets"),
    "broken pcapng": (pcapng([])[:28] + b"\1\0\0\0\5\0\0\0" + bytes(9), "is damaged"),
    "no opportunity": (b"0\n0\n", "no delivery after 0"),
    "opportunities out of order": (b"5\n3\n", "line 2 .* before the line above"),
    "an opportunity that is none": (b"5\n6.5\n", "line 2 .*'6.5': give a whole number"),
    "no opportunity for minutes": (b"5\n200000\n", "no delivery for 200 s"),
    "unclosed quote": (table('95,"3').encode(), "not valid CSV"),
}


@pytest.mark.parametrize("kind", BAD)
def test_says_in_a_sentence_what_is_wrong(kind):
    data, words = BAD[kind]
    with pytest.raises(TraceError, match=words) as caught:
        trace_in(data, "file")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.csv", ".", "\0"])
def test_says_why_a_file_cannot_be_read(tmp_path, name):
    with pytest.raises(TraceError, match="cannot be read"):
        read_trace(tmp_path / name)


def test_a_stream_is_for_files_with_several():
    with pytest.raises(TraceError, match="one stream only: leave bob out"):
        trace_in(GOOD.encode(), "t", "bob")


def packets(n=30):
    return [(k * 10**7, ethernet(ipv4(udp(rtp(k, 480 * k))))) for k in range(n)]


WHOLE = {
    "csv": GOOD.encode(),
    "rtt": ROUND_TRIPS.encode(),
    "gz": gzip.compress(GOOD.encode()),
    "mahimahi": b"".join(b"%d\n" % k for k in range(0, 300, 7)),
    "pcap": pcap(packets()),
    "pcapng": pcapng(packets()),
    "parquet": recorded(n=30),
}


def read_or_refused(data):
    complaint = None
    try:
        trace = trace_in(data, "file")
    except ValueError as error:
        complaint = str(error)
    if complaint is None:
        assert isinstance(trace, DelayTrace | DeliveryTrace)
    else:
        assert len(complaint.splitlines()) == 1


@examples(400)
@given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
def test_any_bytes_are_a_trace_or_a_sentence(data):
    read_or_refused(data)


@examples(1000)
@given(st.sampled_from(sorted(WHOLE)), st.randoms(use_true_random=False))
def test_any_damage_leaves_a_trace_or_a_sentence(kind, rng):
    data = bytearray(WHOLE[kind])
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randint(1, 40)]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                data[at:at] = data[at : at + rng.randint(1, 40)]
        if not data:
            break
    read_or_refused(bytes(data))


@given(st.lists(st.tuples(*[st.floats() | st.integers() | st.text(max_size=5)] * 2), max_size=30))
def test_any_table_is_a_trace_or_a_sentence(rows):
    text = "\n".join(["sent_ms,delay_ms", *(f"{sent},{delay}" for sent, delay in rows)])
    read_or_refused(text.encode(errors="replace"))
