"""Detection of coded clicks in a recording, and the delay of each.

Theory
------
*Matched filter.* The recording, limited to the click's band, is correlated with the one click that
is sought. Divided by the energies of both, the result is the correlation coefficient, whose
magnitude is the *confidence*: 1 for an exact copy, 0.71 at 0 dB SNR (in the band, while the click
sounds), in general the square root of the click's share of the energy. A reversed cable flips the
sign only, so its clicks are found as well.

*Threshold.* In noise, the coefficient of a click with ``D = 2·229`` degrees of freedom obeys
``r² ~ Beta(1/2, (D−1)/2)``. The threshold is where noise exceeds it with probability 1e-6 per click
sought, every lag of the search window counted as a fresh trial (they are fewer, so this errs on the
safe side): 0.31 for a second, 0.28 for 10 ms. Other clicks and steady tones stay below 0.24 by
construction of the code (`jamlab.audio.metronome`), so no useful window lets them pass.

*First arrival.* Of the peaks above the threshold, more than 0.5 ms apart, the earliest that is at
least half as strong as the strongest is the arrival. Overlapping arrivals change each other's
strength; allowing for that, an echo may be up to 4 dB louder than the direct sound, and a leak 8 dB
below the direct sound is not taken for it. An echo within 0.5 ms merges with the direct sound.

*Sub-sample interpolation.* The correlation is band-limited far below Nyquist, so it is resampled
16-fold round the peak, and a parabola through the top three points does the rest; the error of this
step is below 0.002 frames. What remains is noise, 0.08 frames at 0 dB (the Cramér-Rao bound,
``1/(2π·f_rms·√(D·SNR))``), and the sidelobes of an overlapping echo: up to 0.3 frames when it is as
strong as the direct sound, but alternating from click to click, so that a median removes them.

Where two clocks run at different rates, the delay read is that of the click's middle.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal, stats

from jamlab.audio.metronome import CLICK_BAND_HZ, CLICK_FRAMES, IDENTITIES, Metronome
from jamlab.audio.pcm import SAMPLE_RATE

MIN_HEARD_SHARE = 0.95
"""Least share of the emitted clicks that a path has to let through, where that is judged."""
FALSE_ALARM = 1e-6
"""Probability that noise alone gives a reading, per click sought."""

_FREEDOM = 2 * IDENTITIES
_SAME_ARRIVAL = SAMPLE_RATE // 2000
_FIRST_ARRIVAL_SHARE = 0.5
_SHORT = 20_000  # frames up to which one FFT is faster
_SILENCE_DBFS = -100.0  # below it the coefficient compares rounding errors
MARGIN = 64
"""Lags beyond a search window, to tell a peak in it from the flank of one outside."""
_UPSAMPLING = 16
_NEIGHBOURHOOD = 32
_SKEW_READINGS = 1000  # Theil-Sen takes time and memory for every pair of them
_BAND_FILTER = signal.firwin(
    401, (CLICK_BAND_HZ[0] - 150, CLICK_BAND_HZ[1] + 150), pass_zero=False, fs=SAMPLE_RATE
)

_UPSAMPLING_FILTER = signal.firwin(20 * _UPSAMPLING + 1, 1 / _UPSAMPLING, window=("kaiser", 5.0))
"""Filter of `scipy.signal.resample_poly`, which would make it anew for each call."""


@dataclass(frozen=True, slots=True)
class ClickReading:
    """The reading of one emitted click."""

    index: int
    onset: int
    """Frame at which the click was emitted."""
    delay: float
    """Frames from emission to first arrival; NaN when the click was not heard."""
    confidence: float
    """Correlation coefficient at the whole frame nearest to the arrival, 0 to 1 (up to 6 % below
    the one between frames). When the click was not heard, that of the highest peak."""

    @property
    def heard(self) -> bool:
        """Whether the click was found."""
        return not math.isnan(self.delay)


@dataclass(frozen=True, slots=True)
class _Window:
    """Range of delays to search, in whole frames, both ends included."""

    first: int
    last: int

    @property
    def lags(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class FoundClick:
    """One click that was sought in an excerpt of a recording."""

    lag: float
    """Frames from the first lag of the window to the first arrival; NaN when it was not found."""
    confidence: float
    amplitude: float
    """Its highest peak, full scale 1, if it arrives as it was made; 0 when it was not found."""


@lru_cache(maxsize=64)
def detection_threshold(lags: int) -> float:
    """Return the confidence above which a click counts as heard if that many lags are searched."""
    tail = stats.beta.isf(FALSE_ALARM / lags, 0.5, (_FREEDOM - 1) / 2)
    return float(np.sqrt(tail))


def read_clicks(
    recording: NDArray[np.floating],
    metronome: Metronome,
    indices: Iterable[int],
    *,
    min_delay_s: float = 0.0,
    max_delay_s: float = 1.0,
    origin: int = 0,
) -> list[ClickReading]:
    """Read the delay of every emitted click, in the order of their `indices`.

    The recording is one channel at 48 kHz, full scale ±1, whose frame 0 is the metronome's frame
    `origin`. The delays to search for may be many beats. Raises ValueError when the recording is
    not a finite, non-empty 1-D float array, or the search window is empty or so long that the click
    code repeats within it.
    """
    _check_recording(recording)
    window = _window(metronome, min_delay_s, max_delay_s)
    band = band_limited(recording)
    return [_read(band, metronome, index, window, origin) for index in indices]


def _check_recording(recording: NDArray[np.floating]) -> None:
    if recording.ndim != 1:
        raise ValueError(
            f"recording has shape {recording.shape}: pass one channel, e.g. recording[:, 0]"
        )
    if recording.size == 0:
        raise ValueError("recording is empty: record at least one click")
    if not np.issubdtype(recording.dtype, np.floating):
        raise ValueError(f"recording is {recording.dtype}: convert to float, full scale ±1")
    bad = np.flatnonzero(~np.isfinite(recording))
    if bad.size:
        raise ValueError(
            f"recording has {bad.size} NaN or infinite values, the first at frame {bad[0]}: "
            "replace them by silence where nothing was recorded"
        )


def _window(metronome: Metronome, min_delay_s: float, max_delay_s: float) -> _Window:
    if not -math.inf < min_delay_s < max_delay_s < math.inf:
        raise ValueError(
            f"search window is {min_delay_s} to {max_delay_s} s: max_delay_s must be finite and "
            "above min_delay_s"
        )
    repeat_s = IDENTITIES * 60 / metronome.bpm
    if max_delay_s - min_delay_s >= repeat_s:
        raise ValueError(
            f"search window of {max_delay_s - min_delay_s:g} s is too long: the click code repeats "
            f"after {repeat_s:g} s at {metronome.bpm:g} bpm, so narrow the window or slow down"
        )
    return _Window(round(min_delay_s * SAMPLE_RATE), round(max_delay_s * SAMPLE_RATE))


def _read(
    band: NDArray[np.float64], metronome: Metronome, index: int, window: _Window, origin: int
) -> ClickReading:
    onset = metronome.onset(index)
    excerpt = _excerpt(
        band,
        onset - origin + window.first - MARGIN,
        window.lags + 2 * MARGIN + CLICK_FRAMES - 1,
    )
    found = find_click(excerpt, metronome.click(index))
    return ClickReading(index, onset, window.first + found.lag, found.confidence)


def _excerpt(band: NDArray[np.float64], begin: int, frames: int) -> NDArray[np.float64]:
    """Return a piece of the recording, padded with silence beyond its ends."""
    excerpt = np.zeros(frames)
    first, last = max(begin, 0), min(begin + frames, len(band))
    if first < last:
        excerpt[first - begin : last - begin] = band[first:last]
    return excerpt


def band_limited(recording: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a recording limited to the click's band, without a delay."""
    sound = recording.astype(np.float64)
    if len(sound) > _SHORT:
        return np.asarray(signal.oaconvolve(sound, _BAND_FILTER, mode="same"), np.float64)
    points = fft.next_fast_len(len(sound) + len(_BAND_FILTER), real=True)
    limited = fft.irfft(fft.rfft(sound, points) * _band_response(points), points)
    return np.asarray(limited[: len(sound)], np.float64)


@lru_cache(maxsize=8)
def _band_response(points: int) -> NDArray[np.float64]:
    """Return the response of the band's filter without its delay, which is real."""
    taps = np.zeros(points)
    taps[: len(_BAND_FILTER)] = _BAND_FILTER
    return np.asarray(fft.rfft(np.roll(taps, -(len(_BAND_FILTER) // 2))).real, np.float64)


def find_click(excerpt: NDArray[np.float64], click: NDArray[np.float32]) -> FoundClick:
    """Find the first arrival of a click in an excerpt, which is limited to the click's band.

    The excerpt has `MARGIN` frames, then a frame for each lag of the search window, again `MARGIN`
    frames, and `CLICK_FRAMES` less 1.
    """
    lags = len(excerpt) - CLICK_FRAMES + 1 - 2 * MARGIN
    correlation, confidence = correlate_click(excerpt, click)
    peak = _first_arrival(correlation, confidence, detection_threshold(lags))
    if peak is None or not MARGIN <= peak < MARGIN + lags:
        return FoundClick(math.nan, float(confidence.max()), 0.0)
    offset, height = _peak(correlation, peak)
    amplitude = height * float(np.abs(click).max() / np.linalg.norm(click))
    return FoundClick(peak - MARGIN + offset, float(confidence[peak]), amplitude)


def correlate_click(
    excerpt: NDArray[np.float64], click: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the correlation with a click and the magnitude of its coefficient, at every lag.

    Both have the shape (frames - CLICK_FRAMES + 1,). The coefficient is 0 to 1, and 0 near silence.
    """
    template = click / np.linalg.norm(click)
    points = fft.next_fast_len(len(excerpt), real=True)  # what wraps round is no whole lag
    spectrum = fft.rfft(excerpt, points) * fft.rfft(template, points).conj()
    correlation = fft.irfft(spectrum, points)[: len(excerpt) - CLICK_FRAMES + 1]
    running = np.concatenate([[0.0], np.cumsum(excerpt**2)])
    energy = running[CLICK_FRAMES:] - running[:-CLICK_FRAMES]
    floor = CLICK_FRAMES * 10 ** (_SILENCE_DBFS / 10)
    confidence = np.abs(correlation) / np.sqrt(np.maximum(energy, floor))
    return correlation, np.minimum(confidence, 1.0)


def _first_arrival(
    correlation: NDArray[np.float64], confidence: NDArray[np.float64], threshold: float
) -> int | None:
    """Return the lag of the first peak that may be the click itself."""
    peaks, _ = signal.find_peaks(confidence, height=threshold, distance=_SAME_ARRIVAL)
    if peaks.size == 0:
        return None
    strength = np.abs(correlation[peaks])
    return int(peaks[strength >= _FIRST_ARRIVAL_SHARE * strength.max()][0])


def _peak(correlation: NDArray[np.float64], peak: int) -> tuple[float, float]:
    """Return the distance of the band-limited peak from its largest sample, and its height."""
    near = correlation[peak - _NEIGHBOURHOOD : peak + _NEIGHBOURHOOD + 1]
    fine = signal.resample_poly(  # type: ignore[call-overload]  # the stubs lack a filter's taps
        near * np.sign(correlation[peak]), _UPSAMPLING, 1, window=_UPSAMPLING_FILTER
    )
    centre = _NEIGHBOURHOOD * _UPSAMPLING
    reach = 2 * _UPSAMPLING
    top = centre - reach + int(np.argmax(fine[centre - reach : centre + reach + 1]))
    before, at, after = fine[top - 1 : top + 2]
    vertex = 0.5 * (before - after) / (before - 2 * at + after)
    return float((top - centre + vertex) / _UPSAMPLING), float(at)


def estimate_skew(readings: Sequence[ClickReading]) -> float:
    """Return the clock skew of the recorder against the emitter, in parts per million.

    It is the slope of delay over emission time by Theil and Sen, a median over pairs of readings,
    which holds with up to 29 % of outliers (P. K. Sen, "Estimates of the regression coefficient
    based on Kendall's tau", JASA 63, 1968). Positive when the delay grows (the recorder counts too
    many frames); NaN with fewer than three clicks heard.
    """
    heard = [reading for reading in readings if reading.heard]
    if len(heard) < 3:
        return math.nan
    heard = heard[:: math.ceil(len(heard) / _SKEW_READINGS)]
    fit = stats.theilslopes([r.delay for r in heard], [r.onset for r in heard])
    return float(fit.slope) * 1e6
