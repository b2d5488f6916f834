"""Tests of jamlab.audio_graph.ports, on what ``pw-dump`` lists."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jamlab.audio_graph.graph import audio_graph
from jamlab.audio_graph.plan import ears, loudspeaker_inputs, microphone_inputs, mouths
from jamlab.audio_graph.ports import Port, objects_in, ports_in
from tests.audio_graph.on_graph import needs, needs_graph, program
from tests.examples import examples

KIND = "PipeWire:Interface:"
SOUND, MIDI = "32 bit float mono audio", "8 bit raw midi"


def thing(number, kind, **info):
    return {"id": number, "type": KIND + kind, "info": info}


def port(number, node, name, direction, kind=SOUND):
    props = {"node.id": node, "port.name": name, "format.dsp": kind}
    return thing(number, "Port", direction=direction, props=props)


DUMP = [
    thing(30, "Node", props={"node.name": "ada-microphone"}),
    port(31, 30, "capture_FL", "output"),
    thing(40, "Client", props={"pipewire.sec.pid": 1234, "client.api": "jack"}),
    thing(41, "Node", props={"node.name": "Jamulus ada", "client.id": 40}),
    port(42, 41, "input left", "input"),
    port(43, 41, "notes", "input", MIDI),
    {"id": 44, "type": KIND + "Link", "info": {"output-port-id": 31, "input-port-id": 42}},
    {"id": 45, "type": KIND + "Port", "info": None},
]


def test_a_port_has_its_program_and_its_links():
    assert ports_in(DUMP) == [
        Port(
            31,
            "ada-microphone:capture_FL",
            False,
            30,
            0,
            False,
            frozenset({"Jamulus ada:input left"}),
        ),
        Port(
            42,
            "Jamulus ada:input left",
            True,
            41,
            1234,
            True,
            frozenset({"ada-microphone:capture_FL"}),
        ),
    ]


def test_numbers_may_be_written_as_text():
    text = json.loads(json.dumps(DUMP).replace("1234", '"1234"'))
    assert ports_in(text)[1].pid == 1234


def test_what_is_gone_while_the_list_is_written_is_left_out():
    gone = [{"id": 42, "info": None}]
    text = "\n".join(map(json.dumps, ([{"id": 82, "info": None}], DUMP, gone)))
    assert [each.number for each in ports_in(objects_in(text))] == [31]
    assert objects_in(" \n") == []


@pytest.mark.parametrize("text", ["can't connect", "[] x", "[", "{}", "[] 5"])
def test_another_text_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        objects_in(text)


WORDS = st.sampled_from(
    [
        *("id", "type", "info", "props", "node.id", "node.name", "port.name", "client.id"),
        *("format.dsp", SOUND, "output-port-id", "input-port-id", "pipewire.sec.pid"),
        *(KIND + kind for kind in ("Client", "Node", "Port", "Link")),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 5) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(WORDS, inner, max_size=5),
)


@examples(200)
@given(st.lists(JSON))
def test_any_list_is_read(dump):
    assert all(isinstance(each, Port) for each in ports_in(dump))


@needs_graph
async def test_a_real_graph_has_its_devices_ports():
    async with audio_graph(("ada", "ben")) as graph:
        found = {each.name: each for each in await graph.sound_ports()}
    for player in ("ada", "ben"):
        for names, is_input in (
            (microphone_inputs(player), True),
            (mouths(player), False),
            (loudspeaker_inputs(player), True),
            (ears(player), False),
        ):
            assert [found[name].is_input for name in names] == [is_input] * 2
            assert [found[name].pid for name in names] == [0, 0]


@needs_graph
@needs("jackd2", "jack_iodelay")
async def test_a_jack_program_s_ports_have_its_process():
    async with (
        audio_graph(("ada",)) as graph,
        program(graph, "ada", "jack_iodelay", stdout=-3) as started,
    ):
        await graph.link("jack_delay:out", "ada-loudspeaker:playback_FL")
        found = {each.name: each for each in await graph.sound_ports()}
        out = found["jack_delay:out"]
        assert (out.pid, out.is_jack, out.is_input) == (started.pid, True, False)
        assert out.linked == {"ada-loudspeaker:playback_FL"}
        sink = found["ada-loudspeaker:playback_FL"]
        await graph.unlink_numbers(out.number, sink.number)
        assert not any(each.linked for each in await graph.sound_ports() if each.pid)
        await graph.link_numbers(out.number, sink.number)
        await graph.link_numbers(out.number, 99_999)  # gone: nothing happens
        (again,) = [each for each in await graph.sound_ports() if each.name == "jack_delay:out"]
        assert again.linked == {sink.name}
