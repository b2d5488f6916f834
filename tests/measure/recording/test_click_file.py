"""Files of clicks against the metronome's samples and scipy's resampling."""

import numpy as np
import pytest
import soundfile

from jamlab.audio.metronome import CLICK_FRAMES, IDENTITIES, Metronome
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.recording.analysis import analyse
from jamlab.measure.recording.click_file import ClickTrack, write_clicks
from tests.measure.recording.takes import RATE, at_rate, track


def written(path, **parameters):
    return soundfile.read(write_clicks(ClickTrack(**parameters), path), always_2d=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clicks.flac", "CLICKS.WAV"])
def test_at_48_khz_it_is_the_metronome(tmp_path, name):
    sound, rate = written(tmp_path / name, length_s=3.0, voices=(4,))
    assert (rate, sound.shape) == (RATE, (3 * RATE, 1))
    metronome = Metronome(119.0, 4)
    assert sound[:, 0] == pytest.approx(metronome.block(0, 3 * RATE)[:, 0], abs=1e-6)


@pytest.mark.parametrize("rate", [22_050, 44_100, 192_000])
@pytest.mark.slow
def test_other_rates_have_the_same_sound(tmp_path, rate):
    sound, there = written(tmp_path / "clicks.wav", length_s=3.0, rate=rate)
    assert (there, len(sound)) == (rate, 3 * rate)
    wanted = at_rate(track(6), rate)[: 3 * rate]
    assert sound[: len(wanted), 0] == pytest.approx(wanted, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_low_rates_are_found(tmp_path, rate):
    path = write_clicks(ClickTrack(rate=rate, length_s=8.0), tmp_path / "clicks.wav")
    record = analyse(path)
    assert record.arrivals["heard"].tolist() == [16]
    assert record.arrivals["bpm"].iloc[0] == pytest.approx(119, rel=1e-4)


def test_a_voice_for_each_channel(tmp_path):
    path = tmp_path / "clicks.flac"
    sound, _ = written(path, voices=(3, 0, 17), channels=3, length_s=5.0)
    assert sound.shape[1] == 3
    found = analyse(path).arrivals
    assert found[["channel", "voice"]].to_numpy().tolist() == [[1, 3], [2, 0], [3, 17]]


def test_one_voice_on_all_channels(tmp_path):
    sound, _ = written(tmp_path / "clicks.wav", channels=2, length_s=2.0)
    assert (sound[:, 0] == sound[:, 1]).all()


def test_by_default_a_player_may_repeat_it():
    """The click after the last is that of the beginning."""
    track_ = ClickTrack()
    metronome = Metronome(track_.bpm)
    after = round(track_.seconds * RATE)
    number = 2 * IDENTITIES
    assert abs(metronome.onset(number) - after - metronome.onset(0)) <= 1
    assert (metronome.click(number) == metronome.click(0)).all()
    assert metronome.onset(number - 1) + CLICK_FRAMES < after


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_level_is_that_of_the_peaks(tmp_path, rate):
    sound, _ = written(tmp_path / "clicks.wav", level_dbfs=-6.0, length_s=4.0, rate=rate)
    assert 20 * np.log10(np.abs(sound).max()) == pytest.approx(-6, abs=0.5)


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        ({"rate": 4_000}, "rate is 4000"),
        ({"voices": (32,)}, "voices is 32"),
        ({"voices": (1, 1), "channels": 2}, "voices is 1, 1"),
        ({"voices": (1, 2), "channels": 3}, "voices is 1, 2"),
        ({"voices": ()}, "voices is"),
        ({"bpm": 2_000.0}, "bpm is 2000"),
        ({"bpm": float("nan")}, "bpm is nan"),
        ({"level_dbfs": 3.0}, "level_dbfs is 3"),
        ({"length_s": 0.0}, "length_s is 0"),
        ({"length_s": 1e-5}, "length_s is 1e-05: choose 0.1"),
        ({"length_s": float("nan")}, "length_s is nan"),
        ({"channels": 0}, "channels is 0"),
    ],
)
def test_a_value_out_of_range_is_told(parameters, fault):
    with pytest.raises(PlanError, match=f"^{fault}"):
        ClickTrack(**parameters)


def test_another_format_is_refused(tmp_path):
    with pytest.raises(PlanError, match=r"neither \.wav nor \.flac"):
        write_clicks(ClickTrack(), tmp_path / "clicks.mp3")
    with pytest.raises(PlanError, match="cannot be written"):
        write_clicks(ClickTrack(channels=9), tmp_path / "clicks.flac")
    assert not [*tmp_path.iterdir()]
