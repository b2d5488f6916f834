"""The recorder's two clients, with a JACK client that does what the test says."""

import numpy as np
import pytest

from jamlab.audio.metronome import Metronome
from jamlab.audio_graph import recorder as recorder_module
from jamlab.audio_graph.plan import AudioGraphError
from jamlab.audio_graph.recorder import Clock, Player, Recorder, record
from jamlab.audio_graph.tape import BLOCKS, CYCLES

PERIOD = 64


class Port:
    def __init__(self):
        self.sound = np.ones(PERIOD, np.float32)

    def get_array(self):
        return self.sound


class Ports(list):
    def register(self, _name):
        self.append(Port())
        return self[-1]


class Client:
    """A JACK client whose cycles run when the test calls `cycle`."""

    def __init__(self):
        self.inports, self.outports = Ports(), Ports()
        self.last_frame_time = 0

    def set_process_callback(self, callback):
        self.process = callback

    def set_xrun_callback(self, callback):
        self.xrun = callback

    def set_shutdown_callback(self, callback):
        self.shutdown = callback

    def cycle(self, position, frames=PERIOD):
        self.last_frame_time = position % 2**32
        self.process(frames)


@pytest.fixture(name="client")
def make_client():
    return Client()


@pytest.fixture(name="clock")
def make_clock():
    return Clock()


def test_the_player_is_silent_before_frame_0_and_then_plays_the_metronome(client, clock):
    metronome = Metronome(first_s=0.0)
    Player(client, clock, [metronome])
    [port] = client.outports
    client.cycle(1000)
    assert not port.sound.any()
    clock.begin(1000 + 2 * PERIOD)
    client.cycle(1000 + PERIOD)
    assert not port.sound.any()
    for number in range(3):
        client.cycle(1000 + (2 + number) * PERIOD)
        np.testing.assert_array_equal(port.sound, metronome.block(number * PERIOD, PERIOD)[:, 0])


def test_the_recorder_takes_what_lies_between_frame_0_and_the_end(client, clock):
    recorder = Recorder(client, clock, 3, PERIOD, 2 * PERIOD)
    clock.begin(2**32 - PERIOD)  # the position wraps within the recording
    for number in range(-3, 3):
        client.inports[1].sound = np.full(PERIOD, number, np.float32)
        client.cycle(2**32 + number * PERIOD)
    assert recorder.ended.is_set()
    assert recorder.fault is None
    assert [at for at, _, _ in recorder.cycles] == [0, PERIOD]
    assert [sound.shape for _, _, sound in recorder.cycles] == [(3, PERIOD)] * 2
    assert [sound[1, 0] for _, _, sound in recorder.cycles] == [-1, 0]


def test_what_is_recorded_does_not_change_with_the_port(client, clock):
    recorder = Recorder(client, clock, 1, PERIOD, PERIOD)
    clock.begin(0)
    client.cycle(0)
    client.inports[0].sound[:] = 7
    assert recorder.cycles[0][2].max() == 1


def test_xruns_count_from_frame_0_to_the_end(client, clock):
    recorder = Recorder(client, clock, 1, PERIOD, PERIOD)
    client.xrun(0.0)
    clock.begin(PERIOD)
    client.xrun(0.0)
    client.cycle(PERIOD)
    client.xrun(0.0)
    client.cycle(2 * PERIOD)
    client.xrun(0.0)
    assert recorder.xruns == 1


def test_a_changed_period_ends_the_recording_with_a_sentence(client, clock):
    recorder = Recorder(client, clock, 1, PERIOD, 10 * PERIOD)
    clock.begin(0)
    client.cycle(0, frames=256)
    assert recorder.ended.is_set()
    assert "changed the period to 256 frames" in recorder.fault
    assert not recorder.cycles


def test_the_server_s_end_ends_the_recording_with_a_sentence(client, clock):
    recorder = Recorder(client, clock, 1, PERIOD, 10 * PERIOD)
    client.shutdown(1, "gone")
    assert recorder.ended.is_set()
    assert recorder.fault == "the audio server has ended"


class Server:
    """Clients of one graph, whose cycles run when a link is made."""

    def __init__(self, monkeypatch, cycles):
        self.clients, self.links = [], []
        self._cycles = cycles
        monkeypatch.setattr(recorder_module, "_client", self.client)
        monkeypatch.setattr(recorder_module, "_PATIENCE_S", 0.2)

    def client(self, _name):
        client = Client()
        client.activate = lambda: self.run(client)
        client.connect = lambda source, sink: self.links.append((source, sink))
        self.clients.append(client)
        return client

    def run(self, client):
        """Run as many cycles; those before frame 0 is set are not recorded."""
        for number in range(self._cycles):
            client.cycle(number * PERIOD)


def task(folder):
    return {
        "folder": str(folder),
        "frames": 10 * PERIOD,
        "period_frames": PERIOD,
        "metronomes": [{"bpm": 400.0, "voice": 1}],
        "played_into": [["mic:left", "mic:right"]],
        "recorded": ["mic:out", "ear:out"],
    }


def test_links_are_made_and_a_graph_that_stands_still_is_told(tmp_path, monkeypatch):
    server = Server(monkeypatch, cycles=3)
    with pytest.raises(AudioGraphError, match="has stood still"):
        record(task(tmp_path))
    player, recorder = server.clients
    assert server.links == [
        (player.outports[0], "mic:left"),
        (player.outports[0], "mic:right"),
        ("mic:out", recorder.inports[0]),
        ("ear:out", recorder.inports[1]),
    ]
    assert {path.name for path in tmp_path.iterdir()} == {BLOCKS, CYCLES}


def test_a_graph_that_never_runs_is_told(tmp_path, monkeypatch):
    Server(monkeypatch, cycles=0)
    with pytest.raises(AudioGraphError, match="has stood still"):
        record(task(tmp_path))
