"""Round-trip latency of a sound card: clicks from its output back to its input.

They go through a cable, or from a loudspeaker to a microphone. Only the card's frames are counted,
from those given to it for playback to those it captured, so no clock is involved. The figure is
what card and driver add to every latency that jamlab measures with virtual cards; with a
loudspeaker it includes the air (2.9 ms a metre).
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jamlab.audio.card import LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES
from jamlab.audio.conversion.channels import Samples, placed
from jamlab.audio.duplex_stream import DuplexStream, Terms
from jamlab.audio.metronome import CLICK_FRAMES, Metronome
from jamlab.audio.pcm import CHANNELS, SAMPLE_RATE, Block
from jamlab.audio.portaudio import Device, DeviceError, pair_named
from jamlab.measure.latency.clicks import MIN_HEARD_SHARE, ClickReading, read_clicks
from jamlab.measure.latency.plan import PlanError
from jamlab.measure.statistics import jitter, median, proportion, resampling

MAX_ROUND_TRIP_S = 1.0
PATIENCE_S = 5.0
"""A card without a callback for this long has stopped; PulseAudio's takes two seconds to start."""
CARD_COLUMNS = {
    "block_frames": "int64",
    "click": "int64",
    "round_trip_frames": "float64",  # NaN when the click was not heard
    "confidence": "float64",
}
"""Columns of a table of clicks, as `measure_loopback` returns it, and their types."""
CHANNEL = "channel"
"""Further column: the input channel, counted from 1, whose clicks were read."""

MAX_SPREAD_FRAMES, MAX_SPREAD_BLOCKS = SAMPLE_RATE // 1000, 0.25
"""Readings that differ by more than both come from two paths. Those of one path agree to a frame,
except through a sound server: PulseAudio's vary by a tenth of a block."""
LEAST_ECHO_FRAMES = 9 * SAMPLE_RATE // 1000
"""A difference that is an echo's at any block size: a quarter of a long block would hide it."""
MOST_RECORDED = 256
"""Most input channels that are recorded: plug-ins state thousands, interfaces have up to 128."""
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class LoopbackPlan:
    """Parameters of a loopback measurement; raises `PlanError` when a value is out of its range.

    Examples
    --------
    >>> LoopbackPlan((64, 256), clicks=20).block_frames
    (64, 256)
    """

    block_frames: tuple[int, ...] = (64, 128, 256)
    """Block sizes to measure, one after the other."""
    clicks: int = 40
    bpm: float = 480.0
    level_dbfs: float = -12.0
    latency: str | float = "low"
    """PortAudio's suggested latency: ``"low"``, ``"high"``, or seconds."""

    def __post_init__(self) -> None:
        least, most = LEAST_BLOCK_FRAMES, MOST_BLOCK_FRAMES
        if not self.block_frames or not all(least <= each <= most for each in self.block_frames):
            raise PlanError(
                f"block_frames is {self.block_frames}: choose {least} to {most}, one or more"
            )
        if not 3 <= self.clicks <= 1000:
            raise PlanError(f"clicks is {self.clicks}: choose 3 to 1000")

    @property
    def metronome(self) -> Metronome:
        """The metronome that is played."""
        return Metronome(self.bpm, level_dbfs=self.level_dbfs)

    @property
    def frames(self) -> int:
        """Frames to play and record for each block size."""
        last = self.metronome.onset(self.clicks - 1)
        return last + CLICK_FRAMES + int(MAX_ROUND_TRIP_S * SAMPLE_RATE)


def measure_loopback(
    plan: LoopbackPlan,
    input_device: str | int | None = None,
    output_device: str | int | None = None,
) -> pd.DataFrame:
    """Play clicks and record them at every block size; return a row per click.

    A device is an index or a name, as `jamlab.audio.portaudio.device_named` takes it; the system's
    by default. Columns: ``block_frames``, ``click``, ``round_trip_frames`` (NaN for a click that
    was not heard), ``confidence``, see `jamlab.measure.latency.clicks`, and ``channel``: all input
    channels are recorded, and the one is read in which the clicks are heard. Raises `DeviceError`
    when a device cannot be used.
    """
    pair = pair_named(input_device, output_device)
    sound = plan.metronome.block(0, plan.frames)
    return read_loopbacks(
        plan,
        ((frames, _play_and_record(sound, pair, frames, plan)) for frames in plan.block_frames),
    )


def _play_and_record(
    sound: Block, pair: tuple[Device, Device], block_frames: int, plan: LoopbackPlan
) -> Samples:
    """Play and record in blocks of a length, with a card opened as `jamlab.audio.device` does."""
    source, output = pair
    for adapting in (False, True):
        terms = Terms(
            source,
            output,
            source.used_channels if source.is_plug_in else min(source.channels, MOST_RECORDED),
            output.used_channels,
            block_frames,
            plan.latency,
            adapting,
        )
        recorder = _Recorder(sound, terms)
        recorder.run()
        if recorder.fits:
            break
    return recorder.recording


class _Recorder:
    """Plays a sound once and records all channels of the input meanwhile."""

    def __init__(self, sound: Block, terms: Terms) -> None:
        self.recording = np.zeros((len(sound), terms.captured_channels), dtype=np.float32)
        self.fits = True
        """Whether the driver's blocks had the requested length."""
        self._sound, self._terms = sound, terms
        self._at = 0
        self._ended = threading.Event()

    def run(self) -> None:
        """Play and record to the end; raise `DeviceError` when the card fails."""
        stream = DuplexStream(
            self._terms, self._exchange, misfit=self._give_up, after=lambda _: None
        )
        try:
            ended = self._goes_on_to_the_end()
        finally:
            stream.close()
        if not ended:
            raise DeviceError(f"{self._terms.names} has stopped: check that it is still plugged in")

    def _goes_on_to_the_end(self) -> bool:
        at, silent_s = 0, 0.0
        while silent_s < PATIENCE_S:
            if self._ended.wait(_LOOK_S):
                return True
            silent_s = silent_s + _LOOK_S if self._at == at else 0.0
            at = self._at
        return False

    def _give_up(self) -> None:
        self.fits = False
        self._ended.set()

    def _exchange(self, captured: Samples) -> Samples:
        """Copy input and output, on PortAudio's thread."""
        at, frames = self._at, len(captured)
        played = np.zeros((frames, CHANNELS), dtype=np.float32)
        sound = self._sound[at : at + frames]
        played[: len(sound)] = sound
        self.recording[at : at + len(sound)] = np.nan_to_num(captured[: len(sound)])
        self._at += frames
        if self._at >= len(self._sound):
            self._ended.set()
        return placed(played, self._terms.played_channels)


def read_loopbacks(
    plan: LoopbackPlan, recordings: Iterable[tuple[int, NDArray[np.float32]]]
) -> pd.DataFrame:
    """Find the clicks in recordings; return the table of `measure_loopback`.

    A recording comes after its block size, and begins with the playback. It is one channel, or has
    shape ``(frames, channels)``: then the channel is read in which most clicks are heard, and of
    several the one with the highest confidence.
    """
    rows = []
    for block_frames, recording in recordings:
        channels = recording.T if recording.ndim == 2 else recording[np.newaxis]
        read = [_heard_in(plan, channel, number) for number, channel in enumerate(channels, 1)]
        best = max(read, key=lambda channel: (channel.heard, channel.confidence))
        rows += [
            (block_frames, click.index, click.delay, click.confidence, best.channel)
            for click in best.clicks
        ]
    return pd.DataFrame(rows, columns=[*CARD_COLUMNS, CHANNEL])


class _Channel(NamedTuple):
    """The clicks of one channel."""

    channel: int
    clicks: list[ClickReading]

    @property
    def heard(self) -> int:
        return sum(click.heard for click in self.clicks)

    @property
    def confidence(self) -> float:
        return float(np.median([click.confidence for click in self.clicks]))


def _heard_in(plan: LoopbackPlan, channel: NDArray[np.float32], number: int) -> _Channel:
    """Read the clicks of a channel; those of a silent one, as most of many are, need no search."""
    indices = range(plan.clicks)
    if not channel.any():
        onset = plan.metronome.onset
        return _Channel(number, [ClickReading(at, onset(at), np.nan, 0.0) for at in indices])
    return _Channel(
        number, read_clicks(channel, plan.metronome, indices, max_delay_s=MAX_ROUND_TRIP_S)
    )


def loopback_table(clicks: pd.DataFrame) -> pd.DataFrame:
    """Return a row per block size.

    Columns: ``block_frames``, ``clicks``, ``heard_share``, ``round_trip_frames`` and
    ``round_trip_ms`` (median), ``spread_frames`` (95th percentile above the least), ``confidence``
    (median), ``channel`` (of the input; 1 where the clicks do not say).
    """
    return pd.DataFrame(
        [_row(int(str(frames)), group) for frames, group in clicks.groupby("block_frames")]
    )


def _row(block_frames: int, clicks: pd.DataFrame) -> dict[str, float]:
    heard = clicks["round_trip_frames"].dropna().to_numpy()
    rng = resampling()
    middle = median(heard, rng).value
    return {
        "block_frames": block_frames,
        "clicks": len(clicks),
        "heard_share": proportion(len(heard), len(clicks)).value,
        "round_trip_frames": middle,
        "round_trip_ms": middle / SAMPLE_RATE * 1000,
        "spread_frames": jitter(heard, rng).value,
        "confidence": float(clicks["confidence"].median()),
        "channel": int(clicks[CHANNEL].iloc[0]) if CHANNEL in clicks else 1,
    }


def check_loop(table: pd.DataFrame) -> None:
    """Check that the output reaches the input by exactly one path.

    Raises `DeviceError`, which names the block size and what to do, when too few clicks came back,
    or at different times.
    """
    for row in table.to_dict("records"):
        at = f"at {row['block_frames']:g} frames a block"
        if row["heard_share"] < MIN_HEARD_SHARE:
            raise DeviceError(
                f"only {row['heard_share']:.0%} of the clicks came back {at}: connect output and "
                "input by a cable, or turn the loudspeaker up and bring the microphone near"
            )
        jitter_frames = min(MAX_SPREAD_BLOCKS * row["block_frames"], LEAST_ECHO_FRAMES)
        most = max(MAX_SPREAD_FRAMES, jitter_frames)
        if row["spread_frames"] > most:
            raise DeviceError(
                f"the clicks came back at times {row['spread_frames']:.0f} frames apart {at}: "
                "either there is more than one path from output to input, so leave one (a cable "
                "with monitoring switched off, or the microphone near the loudspeaker), or the "
                "sound server's buffers ran empty, so close what else is at work; then measure "
                "again"
            )
