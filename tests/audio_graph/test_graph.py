"""A real audio graph: programs of every kind find their player's devices; its sound is recorded."""

import asyncio
import os
from collections import Counter

import numpy as np
import pytest

from jamlab.audio.metronome import Metronome
from jamlab.audio_graph.graph import audio_graph, missing
from jamlab.audio_graph.plan import AudioGraphError, ears, mouths
from tests.audio_graph.on_graph import needs, needs_graph, processes, program

TWO = {"ada": Metronome(bpm=400.0, voice=0), "ben": Metronome(bpm=400.0, voice=1)}


def test_missing_programs_are_named_with_what_installs_them(monkeypatch, tmp_path):
    for name in ("pipewire", "wireplumber", "pw-link", "pw-dump", "pw-metadata", "setpriv"):
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing() == (
        "pipewire-pulse and pw-jack are not installed, so there is no private audio graph: apt-get "
        "install pipewire pipewire-pulse pipewire-jack wireplumber libjack-jackd2-0"
    )
    for name in ("pw-jack", "pulseaudio"):
        (tmp_path / name).touch(0o755)
    assert "pipewire-pulse is not installed" in missing()
    assert "PulseAudio alone is no help" in missing()
    (tmp_path / "pipewire-pulse").touch(0o755)
    assert missing() is None


async def test_without_the_programs_there_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AudioGraphError, match="not installed, so there is no private"):
        async with audio_graph(("ada",)):
            pass


@needs_graph
async def test_a_folder_too_long_for_a_socket_is_told(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with pytest.raises(AudioGraphError, match="set TMPDIR to a shorter one"):
        async with audio_graph(("ada",)):
            pass


@pytest.mark.slow
@needs_graph
@pytest.mark.parametrize("period", [64, 128, 1024])
async def test_what_is_played_is_in_the_mouth_and_through_a_wire_in_the_ear(period, nothing_left):
    async with audio_graph(("ada", "ben"), period) as graph, graph.wired({"ada": "ben"}):
        recording = await graph.record(TWO, 1.0)
    assert recording.frames == 48_000
    played = {name: metronome.block(0, 48_000)[:, 0] for name, metronome in TWO.items()}
    silence = np.zeros(48_000, np.float32)
    truth = {
        "ada": (played["ada"], silence),
        "ben": (played["ben"], played["ada"]),
    }
    missed = recording.punctuality.missed_cycles * period + recording.punctuality.xruns * period
    for player, (mouth, ear) in truth.items():
        assert np.count_nonzero(recording.mouths[player] != mouth) <= 2 * missed
        assert np.count_nonzero(recording.ears[player] != ear) <= 2 * missed


async def linked(graph):
    """Return the output ports that are linked, and to how many inputs."""
    process = await asyncio.create_subprocess_exec(
        "pw-link",
        "--links",
        env={**os.environ, **graph.environment("ada")},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return Counter(line.split()[-1] for line in said.decode().splitlines() if "<-" in line)


PULSE = needs("pulseaudio-utils", "pacat")
ALSA = needs("alsa-utils libasound2-plugins", "arecord")


@needs_graph
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["pacat", "--record", "--latency-msec=10"], marks=PULSE, id="PulseAudio"),
        pytest.param(["arecord", "-q", "-f", "cd", "-t", "raw"], marks=ALSA, id="ALSA"),
    ],
)
async def test_a_client_records_its_player_s_microphone(command):
    async with (
        audio_graph(("ada", "ben")) as graph,
        program(graph, "ben", *command, stdout=asyncio.subprocess.PIPE) as process,
    ):
        assert await process.stdout.readexactly(4096)
        assert set(await linked(graph)) == set(mouths("ben"))


@needs_graph
@PULSE
async def test_a_pulse_client_is_heard_from_its_player_s_loudspeaker():
    """It plays what it hears; so its player's ear has the clicks, and nobody else's."""
    echo = "pacat --record --latency-msec=10 | pacat --playback --latency-msec=10"
    async with audio_graph(("ada", "ben")) as graph, program(graph, "ben", "sh", "-c", echo):
        for _ in range(20):
            recording = await graph.record(TWO, 1.0)
            if recording.ears["ben"].any():
                break
    assert recording.ears["ben"].any()
    assert not recording.ears["ada"].any()


@needs_graph
@needs("jackd2", "jack_iodelay")
@pytest.mark.slow
async def test_a_jack_client_can_be_linked():
    async with (
        audio_graph(("ada", "ben")) as graph,
        program(graph, "ada", "jack_iodelay", stdout=asyncio.subprocess.DEVNULL),
    ):
        await graph.link("jack_delay:out", "ben-loudspeaker:playback_FL")
        await graph.link("jack_delay:out", "ben-loudspeaker:playback_FL")  # no fault
        recording = await graph.record({}, 0.5)
        assert recording.ears["ben"].any()
        assert not recording.ears["ada"].any()
        await graph.unlink("jack_delay:out", "ben-loudspeaker:playback_FL")
        recording = await graph.record({}, 0.5)
        assert not recording.ears["ben"].any()


@needs_graph
async def test_a_port_that_does_not_come_up_is_named(monkeypatch):
    monkeypatch.setattr("jamlab.audio_graph.graph._PATIENCE_S", 0.2)
    async with audio_graph(("ada",)) as graph:
        with pytest.raises(AudioGraphError, match=r"nobody:out and .* did not both come up"):
            await graph.link("nobody:out", "ada-microphone:input_FL")
        assert {*mouths("ada"), *ears("ada")} < await graph.ports()


@needs_graph
async def test_a_program_that_changes_the_period_ends_the_recording_with_a_sentence():
    async with audio_graph(("ada",)) as graph:
        recording = asyncio.create_task(graph.record({}, 30.0))
        await until_recording(graph)
        change = "pw-metadata", "-n", "settings", "0", "clock.force-quantum", "256"
        async with program(graph, "ada", *change, stdout=asyncio.subprocess.DEVNULL):
            with pytest.raises(AudioGraphError, match="changed the period to 256 frames"):
                await recording


async def until_recording(graph):
    while not any(name.startswith("jamlab-recorder") for name in await graph.ports()):  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@needs_graph
async def test_unknown_players_and_impossible_durations_are_refused():
    async with audio_graph(("ada",)) as graph:
        with pytest.raises(AudioGraphError, match="no player is called 'ben'"):
            graph.environment("ben")
        with pytest.raises(AudioGraphError, match="no player is called 'ben'"):
            await graph.record(TWO, 1.0)
        for seconds in (0.0, -1.0, float("nan"), 1e6):
            with pytest.raises(AudioGraphError, match=r"the duration is .* s: choose more than 0"):
                await graph.record({}, seconds)


@needs_graph
async def test_a_recording_can_be_cancelled_and_another_made(nothing_left):
    async with audio_graph(("ada",)) as graph:
        recording = asyncio.create_task(graph.record({}, 600.0))
        await until_recording(graph)
        recording.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recording
        await graph.record({}, 0.2)


@needs_graph
@pytest.mark.slow
async def test_the_server_s_end_is_told():
    async with audio_graph(("ada",)) as graph:
        recording = asyncio.create_task(graph.record({}, 600.0))
        await until_recording(graph)
        folder = graph.environment("ada")["PIPEWIRE_RUNTIME_DIR"]
        [server] = [each for each in processes(folder) if each.name() == "pipewire"]
        server.kill()
        with pytest.raises(AudioGraphError, match=r"server has ended"):
            await recording
