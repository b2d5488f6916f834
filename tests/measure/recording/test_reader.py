"""Reading of files: any format, and what is none, in one sentence."""

import math
import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from jamlab.measure.recording.reader import RecordingError, open_recording
from tests.examples import examples
from tests.measure.recording.takes import RATE, encoded, write


def whole(file):
    return np.concatenate([*file.blocks(0.5)])


def tone(seconds=2.0, rate=RATE, hz=1000.0):
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.slow
def test_samples_are_those_of_the_file(tmp_path):
    left, right = tone(), tone(hz=333.0)
    file = open_recording(write(tmp_path / "take.wav", left, right))
    assert (file.rate, file.channels, file.format) == (RATE, 2, "WAV PCM_24")
    assert whole(file) == pytest.approx(np.stack([left, right], axis=1), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000, 192_000])
def test_another_rate_is_converted_without_a_delay(tmp_path, rate):
    file = open_recording(write(tmp_path / "take.wav", tone(rate=rate), rate=rate))
    sound = whole(file)[:, 0]
    assert abs(len(sound) - 2 * RATE) < 0.2 * RATE
    middle = slice(RATE // 2, 3 * RATE // 2)
    assert sound[middle] == pytest.approx(tone()[middle], abs=1e-3)


def test_blocks_have_one_length(tmp_path):
    file = open_recording(write(tmp_path / "take.wav", tone(1.7)))
    assert [len(block) for block in file.blocks(0.5)] == [24_000] * 3 + [9_600]


def test_a_video_is_read_by_its_sound_track(tmp_path):
    path = encoded(tmp_path / "film.mp4", "aac", tone(), tone())
    file = open_recording(path)
    assert "aac" in file.format
    sound = whole(file)
    assert sound.shape[1] == 2
    assert sound[RATE // 2 : RATE, 0] == pytest.approx(tone()[RATE // 2 : RATE], abs=0.02)


def test_what_is_no_sound_is_counted_and_read_as_silence(tmp_path):
    sound = np.clip(3 * tone(), -1, 1)
    sound[10:20] = np.nan
    sound[30] = np.inf
    file = open_recording(write(tmp_path / "take.wav", tone(), sound, subtype="FLOAT"))
    read = whole(file)
    assert np.isfinite(read).all()
    assert (read[10:20, 1] == 0).all()
    assert file.faults.unusable.tolist() == [0, 11]
    assert file.faults.clipped[0] == 0
    assert file.faults.clipped[1] > 1000


def test_a_rate_that_the_user_knows_better(tmp_path):
    file = open_recording(write(tmp_path / "take.wav", tone()), rate=24_000)
    assert (file.rate, file.header_rate) == (24_000, RATE)
    assert len(whole(file)) == pytest.approx(4 * RATE, abs=0.2 * RATE)


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3"])
def test_a_pipe_is_read_as_the_file_is(tmp_path, kind):
    path, fifo = tmp_path / f"take.{kind}", tmp_path / "fifo"
    soundfile.write(path, tone(), RATE)
    os.mkfifo(fifo)
    writer = threading.Thread(target=fifo.write_bytes, args=(path.read_bytes(),))
    writer.start()
    file = open_recording(fifo)
    assert (file.rate, file.channels, file.seconds) == (RATE, 1, math.inf)
    piped = whole(file)
    writer.join()
    there = whole(open_recording(path))
    assert len(piped) == pytest.approx(len(there), abs=0.1 * RATE)
    if kind != "mp3":  # whose decoders differ in delay
        assert piped == pytest.approx(there, abs=1e-6)


def test_what_comes_by_a_pipe_and_is_no_sound_is_told(tmp_path):
    for content, said in ((b"", "is empty"), (b"hello" * 99, "is not sound")):
        fifo = tmp_path / said
        os.mkfifo(fifo)
        writer = threading.Thread(target=fifo.write_bytes, args=(content,))
        writer.start()
        assert said in refusal(fifo)
        writer.join()


def test_a_pipe_ends_by_ctrl_c_with_what_came(tmp_path):
    """Its writer goes on: the last block is what was read before."""
    content = write(tmp_path / "take.wav", tone(8)).read_bytes()
    reading, writing = os.pipe()

    def write_and_interrupt():
        with os.fdopen(os.dup(writing), "wb") as stream:
            stream.write(content)
        os.kill(os.getpid(), signal.SIGINT)

    writer = threading.Thread(target=write_and_interrupt)
    writer.start()
    file = open_recording(f"/dev/fd/{reading}")
    with file.ended_by_ctrl_c():
        frames = len(whole(file))
    writer.join()
    os.close(reading)
    os.close(writing)
    assert (len(content) - 150_000) / 3 < frames <= len(content) / 3


def test_the_header_says_how_long_a_file_is(tmp_path):
    assert open_recording(write(tmp_path / "take.wav", tone(1.5))).seconds == 1.5
    film = encoded(tmp_path / "film.mp4", "aac", tone(), tone())
    assert open_recording(film).seconds == pytest.approx(2, abs=0.1)


def refusal(path):
    with pytest.raises(RecordingError) as raised:
        whole(open_recording(path))
    said = str(raised.value)
    assert "\n" not in said
    return said


def test_what_is_no_recording_is_told_in_a_sentence(tmp_path):
    text = tmp_path / "notes.wav"
    text.write_text("hello")
    assert "is not sound" in refusal(text)
    assert "is a folder" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "gone.wav")
    (tmp_path / "empty.wav").touch()
    assert "is empty" in refusal(tmp_path / "empty.wav")
    assert "name of a file" in refusal("a\0b.wav")


def test_a_rate_without_clicks_is_refused(tmp_path):
    assert "4000 samples a second" in refusal(write(tmp_path / "a.wav", tone(rate=4000), rate=4000))


def test_a_playlist_opens_nothing(tmp_path):
    """FFmpeg would follow it to other files and to the network."""
    write(tmp_path / "other.wav", tone())
    playlist = tmp_path / "list.m3u8"
    playlist.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://{tmp_path}/other.wav\n"
        "#EXT-X-ENDLIST\n"
    )
    refusal(playlist)
    concat = tmp_path / "list.ffconcat"
    concat.write_text(f"ffconcat version 1.0\nfile {tmp_path}/other.wav\n")
    refusal(concat)


def test_a_name_is_no_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoded(tmp_path / "take.m4a", "aac", tone())
    for name in ("http:--a.m4a", "concat:b.m4a", "-i.m4a", os.fsdecode(b"\xff.m4a")):
        Path("take.m4a").rename(name)
        assert len(whole(open_recording(name))) > RATE
        Path(name).rename("take.m4a")


@examples(200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["WAV", "FLAC", "OGG"]),
    damage=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8)), max_size=4),
    cut=st.floats(0.01, 1),
)
def test_a_damaged_file_is_read_or_refused(tmp_path, kind, damage, cut):
    """Never a traceback, whatever bytes are changed and wherever it is cut."""
    path = tmp_path / f"take.{kind.lower()}"
    soundfile.write(path, tone(0.1), RATE, format=kind)
    content = bytearray(path.read_bytes())
    for place, new in damage:
        at = int(place * (len(content) - 1))
        content[at : at + len(new)] = new
    path.write_bytes(content[: max(1, int(cut * len(content)))])
    with suppress(RecordingError):
        for block in open_recording(path).blocks(0.5):
            assert np.isfinite(block).all()
