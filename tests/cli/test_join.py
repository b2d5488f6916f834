"""``jamlab join``: participants in processes of their own, in a session through a hub."""

import asyncio
import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import permutations
from typing import ClassVar

import numpy as np
import pytest
from websockets.asyncio.client import connect

from jamlab.cli import join
from jamlab.cli.commands import main
from jamlab.cli.join import Part, _sentence, take_part
from jamlab.measure.live_mesh.ask import measure_mesh
from jamlab.measure.live_mesh.pairs import absent, pairs_table
from jamlab.measure.live_mesh.round_trip import measuring_participant
from jamlab.media.host_candidates import host_addresses
from jamlab.mesh.notices import Notice, NoticeKind
from jamlab.mesh.session import JamSession
from jamlab.networks.port_mapping.mapper import PortMapper
from jamlab.networks.traces.reading import read_trace
from jamlab.signaling.hub.server import Hub
from jamlab.signaling.memory import MemoryChannel
from jamlab.signaling.supabase.channel import SupabaseChannel
from tests.audio.jack import DEVICE, jack, needs_jack
from tests.leaks import until
from tests.mesh.jam import Member

pytestmark = pytest.mark.usefixtures("nothing_left")


CARD = "--sound-card", "--microphone", "allow"


class Process:
    """``jamlab join`` at work."""

    def __init__(self, process):
        self._process = process
        self.lines = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        async for line in self._process.stdout:
            self.lines.append(line.decode().strip())

    async def says(self, line):
        await until(lambda: line in self.lines, f"for {line!r}")

    async def end(self, number):
        """Send a signal; returns the exit status and what was written to standard error."""
        if self._process.returncode is None:
            self._process.send_signal(number)
        errors = (await self._process.stderr.read()).decode()
        await self._reading
        return await self._process.wait(), errors


@asynccontextmanager
async def joined(hub, name, *options, **environment):
    command = [sys.executable, "-m", "jamlab", "join", "room", "--name", name, "--hub", hub.url]
    process = Process(
        await asyncio.create_subprocess_exec(
            *command,
            "--no-port-mapping",
            *options,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "JAMLAB_SUPABASE_KEY": hub.key, **environment},
        )
    )
    try:
        await process.says(f"{name} has joined room")
        yield process
    finally:
        await process.end(signal.SIGKILL)


def member(hub, name):
    """A participant in this process."""
    player = Member(name, None, figures_every_s=3600.0)  # a slow machine's latency is not told
    player.session._channel = SupabaseChannel("room", hub.url, hub.key)
    player.changes = []
    player.service.on_connection_state_change(player.changes.append)
    return player


async def plays_on(hearer, peer, sounding):
    """Wait until more of a peer's packets have been decoded, and a tone is heard."""
    await goes_on_playing(hearer, peer)
    await until(lambda: hearer.hears == {sounding}, f"to hear {sounding}")


def test_what_a_user_can_do_is_said_with_what_is_wrong():
    high = _sentence(Notice(NoticeKind.HIGH_LATENCY, 0.0, "ben"))
    assert high.startswith("ben: High latency detected, audio may be delayed: use a wired network")
    assert _sentence(Notice(NoticeKind.NORMAL_LATENCY, 0.0, "ben")) == (
        "ben: Latency is back to normal"
    )
    microphone = Notice(NoticeKind.MICROPHONE, 0.0)
    assert _sentence(microphone) == "Microphone access is required for jamming"


async def goes_on_playing(hearer, peer):
    """Wait until more of a peer's packets have been decoded."""
    before = hearer.service.playout(peer).counters.decoded
    await until(lambda: hearer.service.playout(peer).counters.decoded >= before + 3)


@pytest.mark.slow
async def test_a_joiner_is_shown_though_it_never_answers():
    """A client of nobody's, which is in the room and says nothing."""
    config = {"broadcast": {}, "presence": {"key": "eve", "enabled": True}, "private": False}
    async with Hub() as hub, joined(hub, "ben") as ben:
        ada, notices = member(hub, "ada"), []
        ada.session.on_notice(notices.append)
        async with ada.session, connect(f"{hub.url}/websocket?apikey={hub.key}&vsn=2.0.0") as eve:
            for event, payload in (
                ("phx_join", {"config": config}),
                ("presence", {"type": "presence", "event": "track", "payload": {}}),
            ):
                await eve.send(json.dumps(["1", "1", "realtime:room", event, payload]))
            await ben.says("eve joined the session")
            await until(lambda: notices, "for the notice")
        assert [(notice.kind, notice.peer_id) for notice in notices[:1]] == [
            (NoticeKind.JOINED, "eve")
        ]


@pytest.mark.slow
async def test_who_echoes_lets_us_hear_ourselves():
    async with Hub() as hub, joined(hub, "ben", "--echo") as ben:
        ada = member(hub, "ada")
        async with ada.session:
            await ben.says("ada is heard")
            await until(lambda: ada.hears == {"ada"}, "to hear the echo")
        await ben.says("ada has left")
        assert await ben.end(signal.SIGTERM) == (0, "")
        assert ben.lines[-1] == "ben has left room"


@pytest.mark.slow
async def test_arrivals_of_packets_are_recorded(tmp_path):
    path = tmp_path / "session.parquet"
    async with Hub() as hub, joined(hub, "ben", "--packets", str(path)) as ben:
        ada = member(hub, "ada")
        async with ada.session:
            await ben.says("ada is heard")
            sent = ada.service.sent_frames
            await until(lambda: len(sent) > 200, "for packets")
        assert await ben.end(signal.SIGTERM) == (0, "")
        told = re.compile(r"\d+ packets are recorded in .*session.parquet")
        assert any(map(told.fullmatch, ben.lines))
    trace = read_trace(path, "ada")
    assert trace.received.sum() > 100
    frames = np.diff(trace.sent_s) / 0.0025  # a busy machine's card misses some
    assert frames == pytest.approx(np.round(frames), abs=1e-6)


@pytest.mark.slow
@needs_jack
@pytest.mark.parametrize("option", ["--input", "--output"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(option):
    with jack(256) as server:
        command = [sys.executable, "-m", "jamlab", "join", "room", *CARD, option, "sistem"]
        ended = subprocess.run(
            command, env=server.env, capture_output=True, text=True, timeout=60, check=False
        )
    assert ended.returncode == 2
    assert f"no {option[2:]} device matches 'sistem'" in ended.stderr
    assert "system" in ended.stderr


@pytest.mark.slow
async def test_who_leaves_is_not_told_that_others_go():
    async with Hub() as hub, joined(hub, "ben") as ben:
        ada = member(hub, "ada")
        async with ada.session:
            await ben.says("ada is heard")
            assert await ben.end(signal.SIGINT) == (0, "")
        assert "ada has left" not in ben.lines


@pytest.mark.slow
@needs_jack
async def test_a_real_sound_card_is_played_through():
    """A cable from the card's output to its input: what ada plays comes back to her."""
    with jack(256) as server:
        names = "JACK_DEFAULT_SERVER", "JACK_NO_START_SERVER"
        jacks = {name: server.env[name] for name in names}
        devices = "--input", DEVICE, "--output", DEVICE
        async with (
            Hub() as hub,
            joined(hub, "ben", *CARD, *devices, "--block-frames", "256", **jacks) as ben,
        ):
            for number in (0, 1):
                ports = server.port("PortAudio", f"out_{number}"), f"PortAudio:in_{number}"
                server.connect(*ports)
            ada = member(hub, "ada")
            async with ada.session:
                await until(lambda: ada.hears == {"ada"}, "to hear what went through the card")
            await ben.says("ada has left")
            await ben.end(signal.SIGTERM)
            assert re.fullmatch(
                r"the sound card: \d+ underruns, \d+ overruns, \d+ xruns of its driver, "
                r"in \d+ blocks",
                ben.lines[-2],
            )


@pytest.mark.slow
async def test_without_a_sound_card_the_session_goes_on():
    """Nothing to capture and nothing to play through; the peer is met all the same."""
    nowhere = *CARD, "--input", "nowhere", "--output", "nowhere"
    async with Hub() as hub, joined(hub, "ben", *nowhere, JACK_NO_START_SERVER="1") as ben:
        ada = member(hub, "ada")
        async with ada.session:
            await ben.says("ada is heard")
            await goes_on_playing(ada, "ben")
            assert await ben.end(signal.SIGINT) == (0, "")
        assert "ada has left" not in ben.lines
        lost, microphone = (
            line for line in ben.lines if "required" in line or "Sound card" in line
        )
        for line, words in (
            (lost, "Sound card lost: the session goes on without it: "),
            (microphone, "Microphone access is required for jamming: "),
        ):
            assert line.startswith(words)
            assert "choose one of" in line or "plug a sound card in" in line


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["deny", "listen-only"])
async def test_who_may_not_use_the_microphone_listens(answer):
    async with Hub() as hub, joined(hub, "ben", "--microphone", answer, "--output", "none") as ben:
        ada = member(hub, "ada")
        async with ada.session:
            await ben.says("ada is heard")
        await ben.end(signal.SIGTERM)
        reason = "denied" if answer == "deny" else "listening only was chosen"
        [told] = [line for line in ben.lines if "required for jamming: " in line]
        assert reason in told
        assert told.count("required for jamming") == 1


@pytest.mark.slow
async def test_a_time_to_leave():
    async with Hub() as hub, joined(hub, "ben", "--duration", "0.5") as ben:
        await ben.says("ben has left room")
        assert await ben.end(0) == (0, "")


@pytest.mark.slow
async def test_who_is_killed_comes_back_under_the_same_name():
    async with Hub() as hub:
        ada, notices = member(hub, "ada"), []
        ada.session.on_notice(notices.append)
        async with ada.session:
            async with joined(hub, "ben", "--echo"):
                await until(lambda: ada.hears == {"ada"}, "to hear the echo")
            await until(lambda: ada.hears == frozenset(), "for the echo to end")
            async with joined(hub, "ben", "--echo"):
                await until(lambda: ada.hears == {"ada"}, "to hear the echo again")
        kinds = {notice.kind for notice in notices}
        assert NoticeKind.NEW_KEY in kinds, "who comes back is another process"
        assert kinds <= {
            NoticeKind.JOINED,
            NoticeKind.NEW_KEY,
            NoticeKind.RETRYING,
            NoticeKind.NO_AUDIO,
            NoticeKind.RESTORED,
        }


@pytest.mark.slow
async def test_the_hub_restarts_and_sound_goes_on_and_newcomers_are_met():
    async with AsyncExitStack() as stack:
        hub = Hub()
        async with hub:
            await stack.enter_async_context(joined(hub, "ben", "--echo"))
            ada, notices = member(hub, "ada"), []
            ada.session.on_notice(notices.append)
            await stack.enter_async_context(ada.session)
            await until(lambda: ada.hears == {"ada"}, "to hear the echo")
        await until(lambda: notices, "for the notice")
        assert notices[0].kind is not NoticeKind.JOINED, "ben was there first"
        await plays_on(ada, "ben", "ada")
        await stack.enter_async_context(Hub(port=hub.port, key=hub.key))
        await until(lambda: len(notices) == 2, "for the second notice")
        await plays_on(ada, "ben", "ada")
        await stack.enter_async_context(joined(hub, "cleo"))
        await ada.session.wait_connected(30, "ben", "cleo")
    lost_and_restored = [NoticeKind.SIGNALING_LOST, NoticeKind.SIGNALING_RESTORED]
    assert [notice.kind for notice in notices[:2]] == lost_and_restored
    assert {change.connection for change in ada.changes if change.peer_id == "ben"} == {1}


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--hub", "nonsense", "--key", "x"], "the signalling URL has no valid"),
        (["--hub", "ws://127.0.0.1:1", "--key", "x"], "cannot be reached"),
        (["--hub", "ws://127.0.0.1:1"], "has no key"),
        (["--hub", "ws://127.0.0.1:1", "--key", "x", "--name", ""], "1 to"),
        (["--quality", "best"], "best"),
        (["--sound-card"], "no terminal to ask at: give --microphone allow, deny or listen-only"),
        (["--sound-card", "--echo"], "--echo needs the virtual card"),
        (["--block-frames", "0"], "--block-frames is 0: choose 16 to 4096"),
        (["--input-channels", "0"], "--input-channels: 0 is out of range: channels are 1 to"),
        (["--output-channels", "1,2,3"], "--output-channels: 1,2,3 are no channels: give one"),
        (["--input-channels", "two"], "--input-channels: 'two' is no channel: give one, as in 2"),
        (["--ice", "nowhere.toml"], "nowhere.toml cannot be read"),
        (["--configuration", "mine"], "--configuration mine needs a file: name it with --ice"),
        (["--duration", "0"], "--duration is 0: give more than 0 seconds"),
        (["--duration", "nan"], "--duration is nan: give more than 0 seconds"),
    ],
)
def test_what_cannot_be_is_one_sentence(options, complaint, capsys, monkeypatch):
    monkeypatch.delenv("JAMLAB_SUPABASE_KEY", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["join", "room", *options]) == 2
    told = capsys.readouterr().err
    assert complaint in told
    assert told.count("\n") == 1
    assert "Traceback" not in told


class Mapper(PortMapper):
    """Notes the ports it is asked for."""

    asked: ClassVar = []

    async def mapped(self, internal):
        self.asked.append(internal)
        return
        yield


@pytest.mark.parametrize("port_mapping", [True, False])
async def test_the_router_is_asked_for_our_ports_unless_the_user_forbids_it(
    port_mapping, monkeypatch
):
    monkeypatch.setattr(join, "PortMapper", Mapper)
    monkeypatch.setattr(Mapper, "asked", [])
    room, lines = MemoryChannel(), []
    part = Part("jam", "ada", port_mapping=port_mapping)
    async with JamSession("jam", "ben", signaling=lambda _: room):
        joined = asyncio.create_task(take_part(part, lambda _: room, lines.append))
        await until(lambda: "ben is heard" in lines)
        os.kill(os.getpid(), signal.SIGTERM)
        await joined
    addresses = [address for address in host_addresses() if ":" not in address]
    assert [host for host, _ in Mapper.asked] == (addresses if port_mapping else [])


@pytest.mark.parametrize(("options", "port_mapping"), [([], True), (["--no-port-mapping"], False)])
def test_port_mapping_is_on_unless_it_is_turned_off(options, port_mapping, monkeypatch):
    parts = []

    async def note(part, *_):
        parts.append(part)

    monkeypatch.setattr(join, "take_part", note)
    assert main(["join", "room", "--hub", "ws://127.0.0.1:1", "--key", "x", *options]) == 0
    assert parts[0].port_mapping is port_mapping


def test_an_unknown_configuration_names_those_there_are(tmp_path, capsys):
    path = tmp_path / "ice.toml"
    path.write_text("[mine]\n[other]\n")
    assert main(["join", "room", "--ice", str(path), "--configuration", "theirs"]) == 2
    assert "choose mine, other" in capsys.readouterr().err


@pytest.mark.slow
async def test_participants_in_processes_of_their_own_are_measured_pair_by_pair():
    """On one machine all clocks are one, so what they read without an offset is the truth."""
    async with Hub() as hub, joined(hub, "ben", "--echo") as ben, joined(hub, "cleo") as cleo:
        signaling = partial(SupabaseChannel, url=hub.url, key=hub.key)
        await cleo.says("ben has joined")  # who was there before her
        ada = measuring_participant("room", "ada", signaling)
        async with ada.session:
            await ada.session.wait_connected(30, "ben", "cleo")
            record = await measure_mesh(ada, 3.0, patience_s=60.0)
        for process, name in (ben, "ben"), (cleo, "cleo"):
            await process.says(f"ada measures the mesh: {name} clicks for 4 s")
            await process.says(f"{name} has sent ada its report")
            assert await process.end(signal.SIGTERM) == (0, "")
    assert list(absent(record)) == []
    pairs = pairs_table(record)
    names = ("ada", "ben", "cleo")
    assert set(zip(pairs["sender"], pairs["receiver"], strict=True)) == set(permutations(names, 2))
    apart_ms = (record.clicks["heard_s"] - record.clicks["emitted_s"]) * 1000
    true_ms = apart_ms.groupby([record.clicks["sender"], record.clicks["receiver"]])
    least_ms, median_ms, most_ms = true_ms.min(), true_ms.median(), true_ms.max()
    for row in pairs.itertuples():
        assert row.clicks in (29, 30)  # 3 s at 590 beats a minute
        assert row.heard_share >= 0.5  # machines that are busy lose some
        assert row.why == ""
        assert row.offset_min_s <= 0 <= row.offset_max_s
        assert row.skew_min_ppm <= 0 <= row.skew_max_ppm
        there, back = (row.sender, row.receiver), (row.receiver, row.sender)
        assert row.one_way_min_ms <= median_ms[there] <= row.one_way_max_ms
        assert least_ms[there] + least_ms[back] <= row.both_ways_ms
        assert row.both_ways_ms <= most_ms[there] + most_ms[back]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_hub_that_never_answers_is_not_waited_for_after_a_signal(number):
    came = asyncio.Event()

    async def never_answers(reader, writer):
        came.set()
        await reader.read()  # until the client has left
        writer.close()
        await writer.wait_closed()

    lines = []
    async with await asyncio.start_server(never_answers, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        part = Part("jam", "ada")
        channel = partial(SupabaseChannel, url=f"ws://127.0.0.1:{port}/socket", key="a key")
        joining = asyncio.create_task(take_part(part, channel, lines.append))
        await came.wait()
        os.kill(os.getpid(), number)
        await joining
    assert lines == ["ada was stopped before jam was joined"]
