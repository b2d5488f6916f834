"""Requests and reports survive the wire, and anything else is one sentence."""

import copy
import json
import math

import hypothesis.strategies as st
import pytest
from hypothesis import given

from jamlab.audio.metronome import CLICK_FRAMES, VOICES
from jamlab.audio.pcm import SAMPLE_RATE
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.live_mesh.messages import (
    LEAD_S,
    MAX_CLICKING_S,
    MAX_CLICKS,
    MalformedReportError,
    MeshReport,
    MeshRequest,
    busy,
)
from jamlab.signaling.messages import MAX_SIGNAL_BYTES
from tests.examples import examples
from tests.measure.live_mesh.reports import a_request, even_mesh

REQUEST = a_request()
REPORT = even_mesh(heard=lambda a, b, click: click % 5).report("ada")


def sent(message):
    """What arrives of a message."""
    return json.loads(json.dumps(message.to_data(), allow_nan=False))


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20)


@examples(40)
@given(
    st.floats(200, 600),
    st.integers(3, 100),
    st.lists(names, min_size=2, max_size=8, unique=True),
)
def test_a_request_survives_the_wire(bpm, clicks, everybody):
    request = a_request(everybody, clicks, bpm)
    assert MeshRequest.from_data(sent(request)) == request


def test_a_report_survives_the_wire():
    arrived = MeshReport.from_data(sent(REPORT), REQUEST)
    for name, hearing in REPORT.hearings.items():
        read = arrived.hearings[name]
        assert [t for t, _ in read.arrivals] == [t for t, _ in hearing.arrivals]
        assert [s for _, s in read.arrivals] == pytest.approx([s for _, s in hearing.arrivals])
        assert read.heard_s == pytest.approx(hearing.heard_s, abs=1e-7, nan_ok=True)
        assert sum(map(math.isnan, read.heard_s)) == math.ceil(REQUEST.clicks / 5)
        assert (read.origin, read.played_frames) == (hearing.origin, hearing.played_frames)
    assert (arrived.began_s, arrived.frame_s) == (REPORT.began_s, REPORT.frame_s)


def test_times_keep_a_tenth_of_a_microsecond_of_a_clock_that_shows_the_date():
    later = even_mesh()
    later.starts_s = {name: at_s + 1.8e9 for name, at_s in later.starts_s.items()}
    report = later.report("ada")
    arrived = MeshReport.from_data(sent(report), REQUEST)
    assert arrived.hearings["ben"].heard_s == pytest.approx(
        report.hearings["ben"].heard_s, rel=0, abs=5e-7
    )


def test_the_longest_report_of_a_full_jam_fits_into_a_signal():
    everybody = tuple(f"player {number}" for number in range(6))
    request = a_request(everybody, MAX_CLICKS, 500.0)
    report = even_mesh(everybody, request=request).report("player 0")
    assert len(json.dumps(report.to_data())) < MAX_SIGNAL_BYTES / 2


@pytest.mark.parametrize(
    ("bpm", "clicks", "everybody", "complaint"),
    [
        (20.0, 5, ("a", "b"), "bpm is 20"),
        (math.nan, 5, ("a", "b"), "bpm is nan"),
        (480.0, 2, ("a", "b"), "number of clicks is 2"),
        (600.0, MAX_CLICKS + 1, ("a", "b"), "number of clicks is 201"),
        (60.0, MAX_CLICKING_S + 1, ("a", "b"), "seconds of clicks is 31"),
        (480.0, 24, ("a",), "number of participants is 1"),
        (480.0, 24, tuple(map(str, range(VOICES + 1))), "number of participants is 33"),
    ],
)
def test_a_request_beyond_its_limits(bpm, clicks, everybody, complaint):
    with pytest.raises(PlanError, match=complaint):
        a_request(everybody, clicks, bpm)


@pytest.mark.parametrize("voices", [{"a": 0, "b": 0}, {"a": 1, "b": 2}, {"a": -1, "b": 0}])
def test_two_never_share_a_voice(voices):
    with pytest.raises(PlanError, match="a voice of its own"):
        MeshRequest("0", 480.0, 24, voices)


def test_everybody_clicks_within_the_time_a_request_lasts():
    for name in REQUEST.voices:
        metronome = REQUEST.metronome(name)
        assert metronome.onset(0) >= LEAD_S * SAMPLE_RATE
        last = metronome.onset(REQUEST.clicks - 1) + CLICK_FRAMES
        assert last <= REQUEST.lasts_s * SAMPLE_RATE
    onsets = {REQUEST.metronome(name).onset(0) for name in REQUEST.voices}
    assert len(onsets) == len(REQUEST.voices)  # not all at once


# What comes from outside

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just("1" * 200),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def paths(value, path=()):
    """Every place in a tree of objects and lists."""
    yield path
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value[:3])
        for key, inner in inside:
            yield from paths(inner, (*path, key))


def replaced(tree, path, value):
    tree = copy.deepcopy(tree)
    place = tree
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return tree


def inner_paths(data):
    return [path for path in paths(data) if path]


def read(reader, *data):
    """Return what was read, or the sentence that says why it cannot be."""
    try:
        return reader(*data), ""
    except MalformedReportError as error:
        return None, str(error)


@examples(150)
@given(st.sampled_from(inner_paths(sent(REPORT))), anything)
def test_a_report_with_anything_in_it_is_one_or_is_malformed(path, value):
    report, complaint = read(MeshReport.from_data, replaced(sent(REPORT), path, value), REQUEST)
    assert len(complaint) < 200
    assert "\n" not in complaint
    if report:
        assert math.isfinite(report.began_s)
        assert set(report.hearings) <= set(REQUEST.voices)


@examples(80)
@given(st.sampled_from(inner_paths(sent(REQUEST))), anything)
def test_a_request_with_anything_in_it_is_one_or_is_malformed(path, value):
    request, complaint = read(MeshRequest.from_data, replaced(sent(REQUEST), path, value))
    assert len(complaint) < 200
    if request:
        assert request.lasts_s <= LEAD_S + MAX_CLICKING_S + 2
        assert all(request.metronome(name).onset(0) for name in request.voices)


@examples(60)
@given(st.dictionaries(st.text(), anything))
def test_any_object_is_malformed(data):
    with pytest.raises(MalformedReportError):
        MeshRequest.from_data(data)
    with pytest.raises(MalformedReportError):
        MeshReport.from_data(data, REQUEST)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("token",), "", "field 'token' is not a short string"),
        (("token",), "x" * 1000, "field 'token' is not a short string"),
        (("began_s",), True, "field 'began_s' is not a number"),
        (("began_s",), 1e300, "field 'began_s' is not a number"),
        (("frame_s",), 1.0, "field 'frame_s' is not a number"),
        (("packet_frames",), 1.5, "field 'packet_frames' is not a whole number"),
        (("hearings",), [], "field 'hearings' is not an object"),
        (("hearings", "stranger"), {}, "somebody who was not asked"),
        (("hearings", "ben", "heard"), [1.0], "field 'heard' is not a list of 24 to 24 entries"),
        (("hearings", "ben", "heard", 0), 1e4, "field 'heard' is not a number from"),
        (("hearings", "ben", "confidences", 0), 2, "field 'confidences' is not a number from"),
        (("hearings", "ben", "arrivals", 0), [1], "an entry that is not a pair"),
        (("hearings", "ben", "arrivals", 0), [-1, 0.0], "field 'arrivals' is not a number"),
        (("hearings", "ben", "origin"), 2**32, "field 'origin' is not a number"),
    ],
)
def test_a_wrong_field_is_named(path, value, complaint):
    with pytest.raises(MalformedReportError, match=complaint):
        MeshReport.from_data(replaced(sent(REPORT), path, value), REQUEST)


def test_a_name_nobody_can_have():
    data = sent(REQUEST) | {"voices": {"ada": 0, "\n": 1}}
    with pytest.raises(MalformedReportError, match="a name that nobody can have"):
        MeshRequest.from_data(data)


def test_busy_is_neither():
    with pytest.raises(MalformedReportError):
        MeshReport.from_data(busy("0123"), REQUEST)
