"""Whole analyses against recordings whose delays are known."""

import os
import threading

import numpy as np
import pandas as pd
import pytest

from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.analysis import analyse
from jamlab.measure.recording.delays import delay_table, pairs
from jamlab.measure.recording.reader import RecordingError
from tests.measure.recording.takes import (
    RATE,
    at_rate,
    delayed,
    encoded,
    noise,
    stretched,
    track,
    write,
)

CLICKS = 17
"""Less than a block of the search."""
SLOW = pytest.mark.slow


def delays_frames(record):
    """Every delay of the only pair, in frames at 48 kHz."""
    (pair,) = pairs(record)
    return pair.delays_ms * RATE / 1000


def reference_and_return(delay, snr_db=20):
    rng, sound = np.random.default_rng(1), track(CLICKS)
    return [noise(rng, each, snr_db, sound) for each in (sound, 0.5 * delayed(sound, delay))]


class TestReferenceAndReturn:
    @pytest.mark.parametrize(
        "delay", [0.3, *(pytest.param(each, marks=SLOW) for each in (1234.5, 24_000.4))]
    )
    def test_every_click_to_a_fraction_of_a_sample(self, tmp_path, delay):
        record = analyse(write(tmp_path / "take.wav", *reference_and_return(delay)))
        assert record.arrivals["voice"].tolist() == [0, 0]
        assert record.arrivals["channel"].tolist() == [1, 2]
        assert record.arrivals["bpm"].to_numpy() == pytest.approx(119.0, rel=1e-5)
        off = delays_frames(record) - delay
        assert len(off) == CLICKS
        assert abs(np.median(off)) < 0.05
        assert np.abs(off).max() < 0.15

    @pytest.mark.slow
    @pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 192_000])
    def test_at_every_rate(self, tmp_path, rate):
        channels = [at_rate(each, rate) for each in reference_and_return(480.3, snr_db=30)]
        record = analyse(write(tmp_path / "take.flac", *channels, rate=rate))
        off = delays_frames(record) - 480.3
        assert len(off) == CLICKS
        assert abs(np.median(off)) < 0.05

    @pytest.mark.slow
    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
    def test_with_any_bits(self, tmp_path, subtype):
        record = analyse(write(tmp_path / "take.wav", *reference_and_return(77.7), subtype=subtype))
        assert abs(np.median(delays_frames(record)) - 77.7) < 0.05

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("name", "codec", "bit_rate"),
        [
            ("take.mp3", "libmp3lame", 128_000),
            ("take.ogg", "libopus", 64_000),
            ("take.m4a", "aac", 128_000),
        ],
    )
    def test_through_a_lossy_codec(self, tmp_path, name, codec, bit_rate):
        path = encoded(tmp_path / name, codec, *reference_and_return(960.25), bit_rate=bit_rate)
        record = analyse(path)
        off = delays_frames(record) - 960.25
        assert np.isfinite(off).mean() > 0.95
        assert abs(np.median(off)) < 0.05
        assert np.abs(off[np.isfinite(off)]).max() < 0.5

    @pytest.mark.parametrize("ppm", [-37.5, 500])
    @pytest.mark.slow
    def test_the_skew_of_the_return(self, tmp_path, ppm):
        sound = track(36)
        record = analyse(write(tmp_path / "take.wav", sound, stretched(delayed(sound, 500), ppm)))
        assert delay_table(record)["skew_ppm"].iloc[0] == pytest.approx(ppm, abs=2)

    def test_drops_are_told_and_infinitely_late(self, tmp_path):
        lost = (7, 8, 14)
        path = write(tmp_path / "take.wav", track(CLICKS), delayed(track(CLICKS, dropped=lost), 99))
        record = analyse(path)
        (pair,) = pairs(record)
        assert pair.clicks.loc[np.isinf(pair.delays_ms), "click"].tolist() == [*lost]
        assert record.arrivals["missed"].tolist() == [0, 3]

    def test_levels_are_of_the_peaks(self, tmp_path):
        record = analyse(write(tmp_path / "take.wav", track(CLICKS), 0.1 * track(CLICKS)))
        assert record.arrivals["level_dbfs"].to_numpy() == pytest.approx([-12, -32], abs=0.2)


class TestOneChannel:
    @pytest.mark.parametrize("delay_s", [0.0123, 0.25, 1.7])
    def test_direct_and_returned_are_told_apart(self, tmp_path, delay_s):
        sound = track(CLICKS, tail_s=3.0)
        mixed = sound + 0.5 * delayed(sound, delay_s * RATE)
        record = analyse(write(tmp_path / "take.wav", mixed))
        assert record.arrivals["order"].tolist() == [1, 2]
        assert np.median(delays_frames(record)) == pytest.approx(delay_s * RATE, abs=0.5)

    def test_four_voices_at_once(self, tmp_path):
        late = {0: 0.0, 3: 700.3, 11: 5_000.0, 31: 12_345.6}
        mixed = sum(delayed(track(CLICKS, voice=voice), by) for voice, by in late.items())
        record = analyse(write(tmp_path / "take.wav", track(CLICKS), mixed))
        found = record.arrivals[record.arrivals["channel"] == 2]
        assert found["voice"].tolist() == [*late]
        assert (found["heard"] >= CLICKS - 1).all()
        onset_s = found["first_s"].to_numpy() * RATE - 12_000
        assert onset_s == pytest.approx([*late.values()], abs=0.5)

    @pytest.mark.slow
    def test_a_late_start_and_gaps_are_right_or_missing(self, tmp_path):
        sound = track(70)
        late = delayed(sound, 333.3)
        late[: 6 * RATE] = 0
        late[15 * RATE : 24 * RATE] = 0
        record = analyse(write(tmp_path / "take.wav", sound, late))
        off = delays_frames(record) - 333.3
        assert np.abs(off[np.isfinite(off)]).max() < 0.05
        assert np.isfinite(off).sum() > 36

    @SLOW
    def test_a_player_that_begins_its_file_again_at_any_time(self, tmp_path):
        once = track(20, tail_s=0.0)
        sound = np.concatenate([once, np.zeros(14_321), once, np.zeros(77_777), once])
        mixed = sound + 0.5 * delayed(sound, 6_000.5)
        for number, channels in enumerate([(sound, delayed(sound, 6_000.5)), (mixed,)]):
            record = analyse(write(tmp_path / f"{number}.wav", *channels))
            for pair in pairs(record):
                heard = pair.delays_ms[np.isfinite(pair.delays_ms)]
                assert heard * RATE / 1000 == pytest.approx(6_000.5, abs=0.5)

    @pytest.mark.slow
    @pytest.mark.parametrize("one_channel", [True, False])
    def test_a_long_jump_of_the_return_is_followed(self, tmp_path, one_channel):
        sound = track(44)
        half, late = len(sound) // 2, delayed(sound, 2_000)
        late[half:] = delayed(sound, 16_400)[half:]
        channels = [sound + 0.5 * late] if one_channel else [sound, late]
        off = delays_frames(analyse(write(tmp_path / "take.wav", *channels)))
        near = np.minimum(np.abs(off - 2_000), np.abs(off - 16_400))
        assert near[np.isfinite(off)].max() < 0.5
        assert np.isfinite(off).mean() > 0.9

    def test_a_playout_buffer_that_moves_is_followed(self, tmp_path):
        sound = track(40)
        late = delayed(sound, 2_000)
        half = len(sound) // 2
        late[half:] = delayed(sound, 3_500)[half:]
        off = delays_frames(analyse(write(tmp_path / "take.wav", sound, late)))
        near = np.minimum(np.abs(off - 2_000), np.abs(off - 3_500))
        assert np.sort(near)[:-1].max() < 0.05
        assert np.isfinite(off).sum() >= 39


class TestTwoFiles:
    @pytest.mark.parametrize("ppm", [-400.0, 80.0])
    @pytest.mark.slow
    def test_are_aligned_by_what_both_heard(self, tmp_path, ppm):
        """Voice 5 is heard by both; voice 9 comes to the second by a system, 30 ms late."""
        room, system = track(36, voice=5), track(36, voice=9)
        late = stretched(delayed(room, 40_000) + delayed(system, 40_000 + 1_440.0), ppm)
        first = write(tmp_path / "a.wav", room + system)
        second = write(tmp_path / "b.wav", late)
        record = analyse(first, second)
        table = delay_table(record)
        assert set(table["voice"]) <= {5, 9}
        (row,) = table[table["voice"] == 9].to_dict("records")
        assert abs(row["median_ms"]) == pytest.approx(30, abs=0.02)
        assert row["skew_ppm"] == pytest.approx(0, abs=2)
        assert f"{ppm:+.0f}"[:3] in " ".join(record.provenance["notes"])

    def test_without_a_common_voice_there_is_no_delay(self, tmp_path):
        first = write(tmp_path / "a.wav", track(CLICKS, voice=1))
        second = write(tmp_path / "b.wav", track(CLICKS, voice=2))
        record = analyse(first, second)
        assert pairs(record) == []
        assert "no voice in common" in " ".join(record.provenance["notes"])


class TestWhatIsTold:
    def test_another_tempo_than_said(self, tmp_path):
        record = analyse(write(tmp_path / "take.wav", track(CLICKS)), bpm=120)
        (note,) = record.provenance["notes"]
        assert "voice 0 at 119 bpm, and not at 120 bpm" in note

    @pytest.mark.slow
    def test_the_skew_against_the_tempo_that_was_said(self, tmp_path):
        record = analyse(write(tmp_path / "take.wav", stretched(track(36), 100)), bpm=119)
        (note,) = record.provenance["notes"]
        assert "slower than the recorder's" in note
        assert float(note.split("runs ")[1].split()[0]) == pytest.approx(100, abs=2)

    def test_clipping(self, tmp_path):
        loud = np.clip(8 * track(CLICKS), -1, 1)
        record = analyse(write(tmp_path / "take.wav", track(CLICKS), loud))
        (note,) = record.provenance["notes"]
        assert "channel 2 is clipped" in note
        assert record.arrivals["heard"].tolist() == [CLICKS, CLICKS]

    def test_nan_is_silence(self, tmp_path):
        sound = track(CLICKS)
        sound[100_000:101_000] = np.nan
        record = analyse(write(tmp_path / "take.wav", sound, subtype="FLOAT"))
        (note,) = record.provenance["notes"]
        assert "1000 samples that are NaN" in note

    def test_a_file_name_of_any_bytes(self, tmp_path):
        path = tmp_path / os.fsdecode(b"-\xff [b] $x_{ \xe2\x80\xae.wav")
        record = analyse(write(path, track(CLICKS)))
        assert record.save(tmp_path / "record")


class TestWindows:
    @pytest.fixture
    def take(self, tmp_path):
        """Half a minute; what comes back is 1000 frames late, and later 1480."""
        sound = track(60)
        late = np.concatenate([np.zeros(1_000), sound])
        late[16 * RATE :] = np.concatenate([np.zeros(1_480), sound])[16 * RATE : len(late)]
        return write(tmp_path / "take.wav", sound, late)

    @pytest.mark.slow
    def test_the_log_grows_while_the_recording_is_read(self, tmp_path, take):
        log, found = tmp_path / "log.csv", []

        def told(window):
            table = pd.read_csv(log)
            assert table["begin_s"].iloc[-1] == window.begin_s
            found.append(len(table))

        record = analyse(take, every_s=8, log=log, told=told)
        assert found == [1, 2, 3, 4]
        table = pd.read_csv(log)
        medians = table["median_ms"].to_numpy() * RATE / 1000
        assert medians == pytest.approx([1_000, 1_000, 1_480, 1_480], abs=0.1)
        assert table["sent"].sum() == 60
        assert record.every_s == 8
        assert analyse(write(tmp_path / "short.wav", track(CLICKS))).every_s is None

    @pytest.mark.slow
    def test_parquet_has_the_same_rows(self, tmp_path, take):
        rows = []
        analyse(take, every_s=10, log=tmp_path / "log.parquet", told=lambda it: rows.append(it))
        kept = pd.read_parquet(tmp_path / "log.parquet")
        live = pd.concat([each.delays for each in rows], ignore_index=True).round(4)
        pd.testing.assert_frame_equal(kept, live, check_dtype=False)

    @pytest.mark.slow
    def test_a_pipe_that_ends_damaged_counts_up_to_there(self, tmp_path, take):
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        content = take.read_bytes()
        cut = content[: len(content) * 2 // 3 - 5]
        writer = threading.Thread(target=fifo.write_bytes, args=(cut,))
        writer.start()
        record = analyse(fifo, every_s=10, log=tmp_path / "log.csv")
        writer.join()
        assert record.files[0]["seconds"] == pytest.approx(len(cut) / 6 / RATE, abs=0.2)
        assert len(pd.read_csv(tmp_path / "log.csv")) == 3

    def test_strange_windows_are_refused(self, tmp_path, take):
        def refused(*files, **options):
            with pytest.raises(PlanError) as raised:
                analyse(*files, **options)
            return str(raised.value)

        assert "every_s is 40, and" in refused(take, every_s=40)
        assert "name one" in refused(take, take, every_s=10)
        assert "add every_s" in refused(take, log=tmp_path / "log.csv")
        assert "choose 1 s" in refused(take, every_s=0)
        assert ".parquet" in refused(take, every_s=10, log=tmp_path / "log.txt")
        assert not (tmp_path / "log.csv").exists()


class TestRefused:
    @pytest.mark.slow
    def test_no_click(self, tmp_path):
        sound = np.random.default_rng(1).normal(0, 0.1, RATE)
        with pytest.raises(RecordingError, match=r"no click is heard in it, in .*take\.wav"):
            analyse(write(tmp_path / "take.wav", sound))

    def test_nothing_but_nan(self, tmp_path):
        with pytest.raises(RecordingError, match=r"of which 48000 samples are NaN or infinite"):
            analyse(write(tmp_path / "take.wav", np.full(RATE, np.nan), subtype="FLOAT"))

    @pytest.mark.slow
    @pytest.mark.parametrize(("header", "true"), [(44_100, 48_000), (48_000, 44_100)])
    def test_a_wrong_rate_is_found_out(self, tmp_path, header, true):
        path = write(tmp_path / "take.wav", at_rate(track(9), true), rate=header)
        with pytest.raises(RecordingError, match=f"clicks that fit {true} .* --rate {true}"):
            analyse(path)
        record = analyse(path, rate=true)
        assert record.arrivals["bpm"].iloc[0] == pytest.approx(119, rel=1e-5)

    def test_no_file_and_strange_parameters(self, tmp_path):
        with pytest.raises(PlanError, match="name 1 to"):
            analyse()
        path = write(tmp_path / "take.wav", track(CLICKS))
        for strange in (0, -1, np.nan, np.inf):
            with pytest.raises(PlanError, match="bpm is"):
                analyse(path, bpm=strange)
            with pytest.raises(PlanError, match="target_ms is"):
                analyse(path, target_ms=strange)
