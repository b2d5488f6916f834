"""Dumps of known truth in both layouts, read as tables."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.measure.dump.dump import Dump, read_dump
from jamlab.measure.dump.layouts.content import DumpError
from jamlab.measure.dump.verdicts import dump_verdicts
from tests.examples import examples
from tests.measure.dump.calls import BEGIN_MS, events, internals, rtcstats_lines, samples, write

DELAYS_MS = [*np.random.default_rng(7).uniform(20, 150, 90).round(1)]
LAYOUTS = {
    "internals": lambda call: internals(*call),
    "internals, US clock": lambda call: internals(*call, clock="%m/%d/%Y, %I:%M:%S %p"),
    "internals, German clock": lambda call: internals(*call, clock="%d.%m.%Y, %H:%M:%S"),
    "rtcstats": lambda call: rtcstats_lines(*call),
    "rtcstats, names": lambda call: rtcstats_lines(*call, numbers=False),
}


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return LAYOUTS[request.param]


def made(tmp_path, layout, packed=False, **truth):
    call = samples(DELAYS_MS, **truth), events(packet="a=ptime:10\r\n")
    return read_dump(write(tmp_path / "call", layout(call), packed))


@pytest.mark.parametrize("packed", [False, True])
def test_figures_are_the_truth_to_a_tenth_of_a_millisecond(tmp_path, layout, packed):
    dump = made(tmp_path, layout, packed, playout_ms=41.3, concealed=48, lost=1)
    heard = dump.audio[dump.audio["direction"] == "inbound"].iloc[1:]
    np.testing.assert_allclose(heard["jitter_buffer_ms"], DELAYS_MS, atol=0.05)
    for column, truth in {
        "interval_s": 1.0,
        "packet_ms": 10.0,
        "playout_ms": 41.3,
        "target_ms": 100.0,
        "minimum_ms": 50.0,
        "processing_ms": 108.0,
        "round_trip_ms": 60.0,
        "jitter_ms": 2.0,
        "packets": 50,
        "packets_lost": 1,
        "concealed_share": 0.001,
        "bitrate_bps": 32_000,
    }.items():
        np.testing.assert_allclose(heard[column], truth, rtol=1e-6, err_msg=column)
    assert set(heard["codec"]) == {"audio/opus minptime=10"}


def test_an_outbound_stream_is_what_the_other_end_reports(tmp_path, layout):
    audio = made(tmp_path, layout).audio
    sent = audio[audio["direction"] == "outbound"].iloc[1:]
    for column, truth in {
        "rtcp_round_trip_ms": 70.0,
        "jitter_ms": 3.0,
        "packets_lost": 2,
        "packets": 50,
        "audio_level": 0.25,
        "bitrate_bps": 64_000,
    }.items():
        np.testing.assert_allclose(sent[column], truth, rtol=1e-6, err_msg=column)
    assert sent["jitter_buffer_ms"].isna().all()


def test_times_are_since_the_start_and_on_the_wall_clock(tmp_path, layout):
    dump = made(tmp_path, layout)
    begin = pd.Timestamp(BEGIN_MS, unit="ms", tz="UTC")
    assert abs(dump.start - begin) <= pd.Timedelta(seconds=1)
    for table in (dump.audio, dump.events, dump.ice):
        wall_s = (table["time"] - dump.start).dt.total_seconds()
        np.testing.assert_allclose(wall_s, table["time_s"], atol=1e-3)
    second = dump.audio["time"].iloc[1]
    assert abs(second - begin - pd.Timedelta(seconds=2)) < pd.Timedelta(milliseconds=1)


def test_the_connection_is_described(tmp_path, layout):
    (about,) = made(tmp_path, layout, relay=True).connections.to_dict("records")
    assert (about["connected"], about["failed"], about["route"]) == (True, False, "relayed")
    assert about["pair"].startswith("relay → prflx, udp")
    assert about["ice_state"] == about["connection_state"] == "connected"
    assert about["time_to_connect_low_s"] <= 0.64 <= about["time_to_connect_high_s"]
    assert "relay.example" in about["configuration"]


def test_the_timeline_has_candidates_states_and_pairs(tmp_path, layout):
    ice = made(tmp_path, layout).ice
    assert list(ice.loc[ice["event"] == "candidate gathered", "candidate_type"]) == [
        "host",
        "relay",
    ]
    assert list(ice.loc[ice["event"] == "candidate added", "candidate_type"]) == ["srflx"]
    assert list(ice.loc[ice["event"] == "ICE state", "detail"]) == ["checking", "connected"]
    assert list(ice.loc[ice["event"] == "selected pair", "route"]) == ["direct"]


def test_both_layouts_give_one_result(tmp_path):
    one = made(tmp_path, LAYOUTS["internals"], concealed=5)
    other = made(tmp_path, LAYOUTS["rtcstats"], concealed=5)
    figures = ["jitter_buffer_ms", "playout_ms", "concealed_share", "round_trip_ms"]
    np.testing.assert_allclose(one.audio[figures], other.audio[figures], rtol=1e-6)
    assert [v.verdict for v in dump_verdicts(one)] == [v.verdict for v in dump_verdicts(other)]


def test_whole_seconds_are_told(tmp_path):
    dump = made(tmp_path, LAYOUTS["internals, US clock"])
    assert any("whole seconds" in note for note in dump.notes)


def test_without_statistics_only_differences_of_times_are_known(tmp_path):
    call = internals([], events(), clock="%m/%d/%Y, %I:%M:%S %p")
    dump = read_dump(write(tmp_path / "call.json", call))
    assert dump.start is pd.NaT
    assert dump.events["time"].isna().all()
    assert dump.events["time_s"].max() <= 1.0
    assert any("no time zone" in note for note in dump.notes)


def test_a_call_without_audio_and_one_without_connections_are_told(tmp_path):
    silent = read_dump(write(tmp_path / "silent.json", internals([], events())))
    empty = read_dump(write(tmp_path / "empty.json", {"PeerConnections": {}}))
    assert any("no statistics of an audio stream" in note for note in silent.notes)
    assert any("no peer connection" in note for note in empty.notes)
    assert {v.verdict.value for v in dump_verdicts(empty)} == {"NOT RUN"}


def test_a_file_of_lines_that_is_cut_keeps_its_whole_lines(tmp_path):
    lines = rtcstats_lines(samples(DELAYS_MS), events())
    text = "\n".join(lines)
    dump = read_dump(write(tmp_path / "cut", text[: int(len(text) * 0.6)]))
    assert 40 < len(dump.audio) / 2 < 70
    assert any("not whole: 1 line could not" in note for note in dump.notes)
    heard = dump.audio[dump.audio["direction"] == "inbound"].iloc[1:]
    np.testing.assert_allclose(heard["jitter_buffer_ms"], DELAYS_MS[: len(heard)], atol=0.05)


def test_packed_lines_that_are_cut_keep_what_unpacks(tmp_path):
    whole = write(tmp_path / "call.gz", rtcstats_lines(samples(DELAYS_MS), events()), True)
    packed = whole.read_bytes()
    whole.write_bytes(packed[: len(packed) // 2])
    dump = read_dump(whole)
    assert len(dump.audio) > 10
    assert any("not whole" in note for note in dump.notes)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["connected", "audio", "RTCStatsDump", "[1,2]", "\ud800", "a$b_{", "candidate:1 1 udp"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def opened(value):
    """Return decoded JSON in which JSON in strings is decoded as well."""
    if isinstance(value, dict):
        return {key: opened(each) for key, each in value.items()}
    return json.loads(value) if isinstance(value, str) and value.startswith("[") else value


def places(value, path=()):
    """Yield the path of every value in decoded JSON."""
    yield path
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, each in entries:
            yield from places(each, (*path, key))


def put(value, path, new):
    """Return decoded JSON with another value at a path, if the path is still there."""
    if not path:
        return new
    key, *rest = path
    try:
        changed = dict(value) if isinstance(value, dict) else list(value)
        changed[key] = put(changed[key], rest, new)
    except (LookupError, TypeError):
        return value
    return changed


CALL = samples([30.0, 40.0]), events()
JSONS = {
    "internals": opened(internals(*CALL)),
    "rtcstats": [json.loads(line) for line in rtcstats_lines(*CALL)[1:]],
}
PLACES = {name: sorted(set(places(each)), key=str) for name, each in JSONS.items()}


def read_or_refused(path):
    """Read a dump, draw every table and verdict from it, or return its one sentence."""
    try:
        dump = read_dump(path)
    except DumpError as error:
        told = str(error)
    else:
        return whole(dump)
    assert str(path) in told
    return None


def whole(dump):
    """Check that all that follows from a dump can be computed; returns the dump."""
    assert isinstance(dump, Dump)
    for table in (dump.connections, dump.events, dump.ice, dump.audio, dump.stage_summary):
        table.to_csv().encode()
    for verdict in dump_verdicts(dump):
        assert verdict.reason
    return dump


@pytest.mark.slow
@pytest.mark.parametrize("name", JSONS)
@examples(60)
@given(data=st.data())
def test_wrong_types_anywhere_are_read_or_refused(tmp_path_factory, name, data):
    mangled = JSONS[name]
    for place in data.draw(st.lists(st.sampled_from(PLACES[name]), max_size=5)):
        mangled = put(mangled, place, data.draw(json_values))
    if name == "rtcstats" and isinstance(mangled, list):
        content = "\n".join(["RTCStatsDump", *map(json.dumps, mangled)])
    else:
        content = json.dumps(mangled)
    path = tmp_path_factory.mktemp("hostile") / "dump"
    path.write_text(content, encoding="utf-8")
    read_or_refused(path)


@examples(400)
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_in_a_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "dump"
    path.write_bytes(content)
    read_or_refused(path)


@examples(200)
@given(share=st.floats(0, 1), packed=st.booleans(), lines=st.booleans())
def test_a_cut_anywhere_is_read_in_part_or_refused(tmp_path_factory, share, packed, lines):
    call = samples([30.0, 40.0]), events()
    path = tmp_path_factory.mktemp("cut") / "dump"
    whole = write(path, rtcstats_lines(*call) if lines else internals(*call), packed).read_bytes()
    kept = int(share * len(whole))
    path.write_bytes(whole[:kept])
    dump = read_or_refused(path)
    end = 12 if packed else 0  # gzip's checksum and length, and what ends its last block
    assert lines or kept >= len(whole) - end or dump is None


def test_foreign_names_have_no_control_characters(tmp_path):
    call = internals(samples([30.0]), events(), name="\u202eevil\x1b[31m<script>\ud800")
    dump = read_dump(write(tmp_path / "dump.json", call))
    name = dump.connections["connection"].iloc[0]
    assert not re.search(r"[\x00-\x1f\u202e\ud800]", name)
    assert "<script>" in name  # text, which pages escape
