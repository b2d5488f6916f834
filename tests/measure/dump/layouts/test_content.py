"""Files of every kind: each is read, or refused in a sentence that names it and the remedy."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from jamlab.measure.dump.layouts import content, rtcstats
from jamlab.measure.dump.layouts.content import DumpError, read_trace
from tests.measure.dump.calls import events, internals, rtcstats_lines, samples

CALL = samples([30.0, 40.0]), events()


@pytest.fixture
def file(tmp_path):
    def written(data):
        path = tmp_path / "any name at all"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return written


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("text", "layout"),
    [
        (json.dumps(internals(*CALL)), "webrtc-internals"),
        ("\ufeff" + json.dumps(internals(*CALL), indent=1), "webrtc-internals"),
        ("\n".join(rtcstats_lines(*CALL)), "rtcstats"),
        ("\r\n".join(rtcstats_lines(*CALL)), "rtcstats"),
        ("\n".join(rtcstats_lines(*CALL)[1:]), "rtcstats"),
    ],
)
def test_a_dump_is_recognised_by_its_content(file, text, layout, packed):
    data = gzip.compress(text.encode()) if packed else text
    assert read_trace(file(data)).layout == layout


def test_gzip_in_several_parts_is_one_file(file):
    text = json.dumps(internals(*CALL)).encode()
    assert read_trace(file(gzip.compress(text[:999]) + gzip.compress(text[999:]))).peers


WHOLE = json.dumps(internals(*CALL))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(WHOLE.encode(), mtime=0)[:12], "is empty or cut"),
        (WHOLE[: len(WHOLE) // 2], r"is cut off .* save the dump again"),
        (WHOLE[:-1], r"is cut off .* save the dump again"),
        (gzip.compress(WHOLE.encode(), mtime=0)[:-300], r"is cut off .* save the dump again"),
        (WHOLE.replace(":", ";", 1), "is not valid JSON"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
        (b"\x1f\x8b" + bytes(range(64)), "is empty or cut"),
        ("<!doctype html><title>about:webrtc</title>", "is of Firefox"),
        ("<html>", "is HTML"),
        (json.dumps({"pcid": "1", "iceStats": []}), "is of Firefox"),
        (json.dumps({"reports": [{"inboundRtpStreamStats": []}]}), "is of Firefox"),
        ("{}", "no PeerConnections"),
        ("[]", "is no dump"),
        ("hello", "is no dump"),
        ('{"a":' * 100_000, "is nested too deep"),
        ('{"PeerConnections": ' + "9" * 5000 + "}", "is not valid JSON"),
        ("RTCStatsDump\nnothing\n", "no line that is whole"),
    ],
)
def test_what_is_no_dump_is_refused_in_a_sentence(file, data, words):
    path = file(data)
    with pytest.raises(DumpError, match=words) as refused:
        read_trace(path)
    assert str(refused.value).startswith(f"{path} ")
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in tmp_path / "nothing", tmp_path, pipe, Path("/dev/zero"):
        with pytest.raises(DumpError, match=f"there is no file {path}: name a dump"):
            read_trace(path)


def test_a_file_that_unpacks_to_many_times_its_size_is_refused(file):
    with pytest.raises(DumpError, match="unpacks to more than 300 times its size"):
        read_trace(file(gzip.compress(bytes(1 << 24))))


def test_a_file_whose_lines_repeat_all_statistics_is_refused(file, monkeypatch):
    """Each line restores all objects, so a small file may stand for any number of them."""
    monkeypatch.setattr(rtcstats, "MOST_STATISTICS", 1000)
    whole = {f"I{number}": {"type": "inbound-rtp"} for number in range(10)}
    lines = ["RTCStatsDump", "{}", json.dumps(["getStats", "1", whole, 1])]
    assert read_trace(file("\n".join(lines + ['["getStats", "1", {}, 1]'] * 99).encode())).peers
    with pytest.raises(DumpError, match="has more than 1000000 statistics"):
        read_trace(file("\n".join(lines + ['["getStats", "1", {}, 1]'] * 100).encode()))


def test_a_file_that_unpacks_without_end_is_refused(file, monkeypatch):
    monkeypatch.setattr(content, "MOST_BYTES", 1 << 21)
    with pytest.raises(DumpError, match="unpacks to more than 2 MB"):
        read_trace(file(gzip.compress(np.arange(1 << 20, dtype=np.uint32).tobytes())))
    with pytest.raises(DumpError, match="has more than 2 MB"):
        read_trace(file(b"{" + b" " * (1 << 22)))


def test_a_character_that_is_cut_is_no_fault_of_lines(file):
    data = "\n".join([*rtcstats_lines(*CALL), '["ü']).encode()
    assert "not whole" in read_trace(file(data[:-1])).notes[0]
