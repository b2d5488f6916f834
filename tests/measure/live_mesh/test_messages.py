"""Requests and reports over the wire, and a sentence for any other data."""

import copy
import json
import math
import re

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
    Hearing,
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
    assert MeshReport.from_data(sent(REPORT), REQUEST) == REPORT
    for hearing in REPORT.hearings.values():
        assert hearing.heard.count(None) == math.ceil(REQUEST.clicks / 5)


@given(
    st.floats(0, 1e9),
    st.lists(st.tuples(st.floats(-60, 60) | st.just(math.nan), st.floats(0, 1)), max_size=5),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.floats(-60, 60)), max_size=5),
)
def test_times_count_from_the_start(began_s, clicks, arrivals):
    """To a tenth of a microsecond, or as finely as a clock that shows the date can tell."""
    hearing = Hearing.since(
        began_s,
        [(began_s + at_s, share) for at_s, share in clicks],
        [(timestamp, began_s + at_s) for timestamp, at_s in arrivals],
        origin=7,
        played_frames=8,
        concealed_frames=9,
    )
    assert [math.nan if at_s is None else at_s for at_s in hearing.heard] == pytest.approx(
        [at_s for at_s, _ in clicks], rel=0, abs=5e-7, nan_ok=True
    )
    assert hearing.confidences == pytest.approx([share for _, share in clicks], abs=5.001e-4)
    assert [timestamp for timestamp, _ in hearing.arrivals] == [each for each, _ in arrivals]
    assert [at_s for _, at_s in hearing.arrivals] == pytest.approx(
        [at_s for _, at_s in arrivals], rel=0, abs=5e-7
    )
    assert (hearing.origin, hearing.played_frames, hearing.concealed_frames) == (7, 8, 9)


def test_the_wire_format():
    """As earlier versions of jamlab send it."""
    report = sent(even_mesh(heard=lambda a, b, click: click).report("ada"))
    assert (report["kind"], report["token"], report["packet_frames"]) == (
        "mesh report",
        "0123",
        240,
    )
    hearing = report["hearings"]["ben"]
    assert set(hearing) == {
        "heard",
        "confidences",
        "arrivals",
        "origin",
        "played_frames",
        "concealed_frames",
    }
    assert hearing["heard"][0] is None
    assert hearing["heard"][1] == pytest.approx(1 + 0.125 / 3 + 0.125 + 0.4 + 0.03, abs=1e-3)
    timestamp, came_s = hearing["arrivals"][0]
    assert (timestamp, came_s) == (2**32 - 1000, pytest.approx(0.4 + 0.005 + 0.015, abs=1e-3))
    assert sent(REQUEST) == {
        "kind": "mesh request",
        "token": "0123",
        "bpm": 480.0,
        "clicks": 24,
        "voices": {"ada": 0, "ben": 1, "cleo": 2},
    }


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
    with pytest.raises(PlanError, match="number the voices from 0, one for each participant"):
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
        (("token",), "", "field 'token': expected `str` matching"),
        (("token",), "x" * 1000, "field 'token': expected `str` matching"),
        (("token",), "x\n", "field 'token': expected `str` matching"),
        (("began_s",), True, "field 'began_s': expected `float`, got `bool`"),
        (("began_s",), 1e300, "field 'began_s': expected `float` <= "),
        (("began_s",), math.nan, "field 'began_s': expected `float` >= "),
        (("began_s",), 10**400, "field 'began_s': number out of range"),
        (("frame_s",), 1.0, "field 'frame_s': expected `float` <= "),
        (("packet_frames",), 1.5, "field 'packet_frames': expected `int`, got `float`"),
        (("card_blocks",), 10**400, "field 'card_blocks': expected `int` <= "),
        (("hearings",), [], "field 'hearings': expected `object`, got `array`"),
        (("hearings", "ben"), 7, "field 'hearings[...]': expected `object`, got `int`"),
        (("hearings", "ben", "heard"), [1.0], "'heard' and 'confidences' do not have 24 entries"),
        (("hearings", "ben", "confidences"), [1.0], "do not have 24 entries"),
        (("hearings", "ben", "heard", 0), 1e4, ".heard[0]': expected `float` <= 300"),
        (("hearings", "ben", "confidences", 0), 2, ".confidences[0]': expected `float` <= 1.0"),
        (("hearings", "ben", "arrivals", 0), [1], ".arrivals[0]': expected `array` of length 2"),
        (("hearings", "ben", "arrivals", 0), [-1, 0.0], ".arrivals[0][0]': expected `int` >= 0"),
        (("hearings", "ben", "arrivals"), [[1, 0.0]] * 201, ".arrivals': expected `array` of len"),
        (("hearings", "ben", "origin"), 2**32, ".origin': expected `int`"),
    ],
)
def test_a_wrong_field_is_named(path, value, complaint):
    with pytest.raises(MalformedReportError, match=re.escape(complaint)):
        MeshReport.from_data(replaced(sent(REPORT), path, value), REQUEST)


def test_a_participant_who_was_not_asked():
    data = sent(REPORT)
    data["hearings"]["stranger"] = data["hearings"]["ben"]
    with pytest.raises(MalformedReportError, match="a participant that is not in the request"):
        MeshReport.from_data(data, REQUEST)


def test_a_name_nobody_can_have():
    data = sent(REQUEST) | {"voices": {"ada": 0, "\n": 1}}
    with pytest.raises(MalformedReportError, match="a name that is not valid for a participant"):
        MeshRequest.from_data(data)


def test_busy_is_neither():
    with pytest.raises(MalformedReportError):
        MeshReport.from_data(busy("0123"), REQUEST)
