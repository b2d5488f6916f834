"""``jamlab latency --device``: its output for a loop, and its errors without one."""

import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from jamlab.audio.portaudio import Device, DeviceError
from jamlab.cli import latency as card_latency
from jamlab.cli.commands import main
from jamlab.measure.sound_card import record as card_record
from jamlab.measure.sound_card.loopback import read_loopbacks
from jamlab.measure.sound_card.record import CardRecord
from tests.audio.jack import DEVICE, jack, needs_jack
from tests.audio.pulse import DEVICE as PULSE
from tests.audio.pulse import needs_pulse, pulse

COMMAND = "latency", "--device", "--microphone", "allow"


def choose(monkeypatch, pair_named):
    """Let devices be found in another way."""
    for module in card_latency, card_record:
        monkeypatch.setattr(module, "pair_named", pair_named)


@pytest.fixture(name="card")
def make_card(monkeypatch):
    """A card that delays everything by two blocks and 100 frames, at the gain that is set."""
    card = {"gain": 0.5, "wanted": [], "measured": []}

    def named(*wanted):
        directions = "input", "output"
        card["wanted"] += zip(directions, wanted, strict=True)
        return [Device(0, f"the {direction}", direction, 2, "ALSA") for direction in directions]

    def measure(plan, *_):
        sound = plan.metronome.block(0, plan.frames)[:, 0]
        recordings = []
        for frames in plan.block_frames:
            delay = 2 * frames + 100
            recording = np.zeros_like(sound)
            recording[delay:] = card["gain"] * sound[:-delay]
            recordings.append((frames, recording))
            card["measured"].append(frames)
        return read_loopbacks(plan, recordings)

    choose(monkeypatch, named)
    monkeypatch.setattr(card_latency, "better_host", lambda _: "JACK")
    monkeypatch.setattr(card_record, "measure_clicks", measure)
    return card


@pytest.mark.usefixtures("card")
class TestFigures:
    def test_are_in_a_table_a_row_per_block(self, capsys):
        assert main([*COMMAND, "--clicks", "5"]) == 0
        told = capsys.readouterr().out
        assert "from 'the output' to 'the input', heard in channel 1" in told
        rows = re.findall(r"(\d+) frames +([\d.]+) ms +([\d.]+) frames", told)
        assert rows == [
            ("64", "4.75", "228.0"),
            ("128", "7.42", "356.0"),
            ("256", "12.75", "612.0"),
        ]

    def test_are_json_for_programs(self, capsys):
        assert main([*COMMAND, "--block-frames", "32", "--clicks", "5", "--json"]) == 0
        [row] = json.loads(capsys.readouterr().out)
        assert row["round_trip_frames"] == pytest.approx(164, abs=0.05)
        assert row["round_trip_ms"] == pytest.approx(164 / 48, abs=0.001)
        assert row["heard_share"] == 1


@pytest.mark.usefixtures("card")
class TestRecord:
    def test_is_left_where_it_is_wanted(self, tmp_path, capsys):
        command = [*COMMAND, "--block-frames", "64", "128", "--out", str(tmp_path)]
        assert main([*command, "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)
        record = CardRecord.load(tmp_path)
        assert record.block_sizes == (64, 128)
        for row in rows:
            figure = record.round_trip_frames(row["block_frames"])
            assert figure.value == row["round_trip_frames"]
        assert record.name == "the output → the input"

    def test_says_where_it_is_and_what_it_is_for(self, tmp_path, capsys):
        assert main([*COMMAND, "--clicks", "5", "--out", str(tmp_path)]) == 0
        told = capsys.readouterr().err
        assert f"jamlab verify --card {tmp_path}" in told
        assert "from 'the output' to 'the input' at blocks of 64, 128, 256 frames: the" in told
        assert "the output has to reach the input now" in told
        assert "They are devices of ALSA; JACK is here too and faster." in told

    def test_where_it_cannot_be_written_the_figures_are_told_all_the_same(self, tmp_path, capsys):
        out = tmp_path / "x"
        (out / "loopback.parquet").mkdir(parents=True)
        assert main([*COMMAND, "--clicks", "5", "--out", str(out)]) == 2
        told = capsys.readouterr()
        assert "64 frames" in told.out
        assert "the record cannot be written to" in told.err
        assert "or name another folder" in told.err

    def test_where_there_is_no_place_for_it_nothing_is_measured(self, card, tmp_path, capsys):
        (tmp_path / "file").touch()
        with pytest.raises(SystemExit, match="2"):
            main([*COMMAND, "--out", str(tmp_path / "file" / "x")])
        assert "file: choose another folder" in capsys.readouterr().err
        assert not card["measured"]

    def test_without_a_figure_there_is_none(self, card, tmp_path):
        card["gain"] = 0
        assert main([*COMMAND, "--clicks", "5", "--out", str(tmp_path / "x")]) == 2
        assert not (tmp_path / "x").exists()


def test_devices_are_the_ones_that_were_named(card):
    assert main([*COMMAND, "--input", "3", "--output", "USB", "--clicks", "3"]) == 0
    assert set(card["wanted"]) == {("input", "3"), ("output", "USB")}


class TestComplaints:
    def test_nothing_came_back(self, card, capsys):
        card["gain"] = 0
        assert main([*COMMAND, "--clicks", "5"]) == 2
        _, told = capsys.readouterr().err.splitlines()  # the first says what is played
        assert "0% of the clicks came back at 64 frames a block: connect output and input" in told
        assert card["measured"] == [64]  # and not 128 and 256, for nothing

    def test_no_card(self, monkeypatch, capsys):
        def none(*_):
            raise DeviceError("this machine has no output device: plug a sound card in")

        choose(monkeypatch, none)
        assert main([*COMMAND]) == 2
        [told] = capsys.readouterr().err.splitlines()  # and not what is played
        assert "no output device: plug a sound card in" in told

    @pytest.mark.usefixtures("card")
    def test_a_block_nobody_has(self, capsys):
        assert main([*COMMAND, "--block-frames", "8"]) == 2
        assert "block_frames is (8,): choose 16 to 4096" in capsys.readouterr().err

    def test_blocks_are_listed_as_they_are_given(self, capsys):
        with pytest.raises(SystemExit):
            main(["latency", "--help"])
        assert "(default: 64 128 256)" in capsys.readouterr().out

    def test_of_what(self, capsys):
        with pytest.raises(SystemExit):
            main(["latency"])
        assert "--device is required" in capsys.readouterr().err


@pytest.mark.usefixtures("card")
class TestPermission:
    def test_without_it_there_is_nothing_to_measure(self, capsys):
        assert main(["latency", "--device", "--microphone", "deny"]) == 2
        told = capsys.readouterr().err
        assert "the measurement needs an input" in told
        assert told.count("\n") == 1

    def test_listening_only_is_not_offered(self, capsys):
        with pytest.raises(SystemExit):
            main(["latency", "--device", "--microphone", "listen-only"])
        assert "choose from" in capsys.readouterr().err

    def test_who_cannot_be_asked_has_to_say_so(self, capsys, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.StringIO())
        assert main(["latency", "--device"]) == 2
        told = capsys.readouterr().err
        assert "no terminal to ask at: give --microphone allow or deny" in told
        assert told.count("\n") == 1


@pytest.mark.slow
@needs_jack
def test_on_a_real_card_that_is_a_loop():
    command = [sys.executable, "-m", "jamlab", *COMMAND, "--block-frames", "128", "--clicks", "24"]
    command += ["--input", DEVICE, "--output", DEVICE]
    with jack(128) as server:
        process = subprocess.Popen(
            [*command, "--json"], env=server.env, stdout=subprocess.PIPE, text=True
        )
        server.connect(server.port("PortAudio", "out_0"), server.port("PortAudio", "in_0"))
        told, _ = process.communicate(timeout=60)
    [row] = json.loads(told)
    assert row["round_trip_frames"] == pytest.approx(128, abs=0.05)  # JACK's own for a loop


@pytest.mark.slow
@needs_pulse
def test_on_pulseaudio_whose_null_sink_is_a_loop(tmp_path):
    """Its server's buffers are no fixed delay; but no card hands a block back before it has it."""
    command = [sys.executable, "-m", "jamlab", *COMMAND, "--block-frames", "1024"]
    command += ["--input", PULSE, "--output", PULSE, "--clicks", "12", "--json"]
    with pulse(tmp_path) as server:
        process = subprocess.run(
            command, env=server.env, capture_output=True, text=True, timeout=60, check=False
        )
    if process.returncode:  # on a busy machine the server's buffers run empty, which is told
        assert "the sound server's buffers ran empty" in process.stderr
        pytest.skip("PulseAudio lost blocks on this busy machine, so there is no figure to check")
    [row] = json.loads(process.stdout)
    assert 1024 < row["round_trip_frames"] < 48_000
    assert row["heard_share"] >= 0.5


@pytest.mark.slow
@needs_jack
def test_a_card_that_stops_meanwhile_is_told():
    command = [sys.executable, "-m", "jamlab", *COMMAND, "--clicks", "1000"]
    command += ["--input", DEVICE, "--output", DEVICE, "--block-frames", "128"]
    with jack(128) as server:
        process = subprocess.Popen(command, env=server.env, stderr=subprocess.PIPE, text=True)
        server.port("PortAudio", "in_0")
        server.end()
        _, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "has stopped: check that it is still plugged in" in told
