"""Alignment of a heard sound with the sound that was played: its delay, and the drift of the clock.

Theory of operation
-------------------
Of a few excerpts the one that is heard best gives the delay. Around it, each *window* of the
played sound is found in the heard one: the peak of the correlation gives whole frames, and the
slope of the cross-spectrum's phase the fraction. A window's delay is trusted if its correlation
coefficient is high; elsewhere (concealment, silence) the neighbours' delay is taken.

*Drift* is the median of the slopes between windows 0.17 s apart, so that single windows and steps
of the delay do not count. It is removed by resampling, unless it is within its error, or more than
two clocks can differ.

*Steps* are what remains: a playout buffer changes its delay by splices. So every window is shifted
by its own delay, a fraction of a frame included, and cross-faded with its neighbours. What is left
between the sounds is what codec, concealment and splices have changed.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from samplerate import resample
from scipy import fft, signal, stats

from jamlab.audio.pcm import SAMPLE_RATE

Sound = NDArray[np.float64]
"""Sound with one column a channel, shape ``(frames, channels)``."""

WINDOW = 4096
"""Frames of a window, 85 ms; windows begin every half of it."""

_HOP = WINDOW // 2
_SEARCHED = SAMPLE_RATE // 20  # frames before and after the delay of the whole
_EXCERPT, _EXCERPTS = SAMPLE_RATE // 2, 5
_ALIKE = 0.3  # least correlation coefficient of an excerpt
_TRUSTED = 0.6  # and of a window
_LEAST_ENERGY = 1e-12
_MARGIN = 512  # frames beside a window, which a shift by a fraction needs
_QUIET = 1e-4  # share of the power elsewhere below which a window says nothing
_APART = 4  # windows, 0.17 s: few of these stretches have a step in them
_LEAST_SLOPES = 2 * _APART
_DEVIATIONS = 4.0
_ROUNDS = 2  # drift smears a window, so the first estimate of a large one is a little off
_LEAST_DRIFT, _MOST_DRIFT = 1e-6, 1e-3


class AlignmentError(ValueError):
    """The heard sound is not the played one; the message says so, and what to do."""


@dataclass(frozen=True)
class Aligned:
    """A heard sound beside the played one, frame by frame."""

    played: Sound
    heard: Sound
    """Without delay and drift, as long as the played sound."""
    delay_frames: float
    """Median of the windows' delays, in frames."""
    drift: float
    """Frames the heard sound gains for each played frame: by a faster clock at the listener."""


def align(played: Sound, heard: Sound) -> Aligned:
    """Align a heard sound with the played one; raises `AlignmentError` where they do not match.

    Both are at 48 kHz and have equally many channels; the heard one begins no later than the
    played one does, and goes on for at least its delay longer.

    Examples
    --------
    >>> import numpy as np
    >>> from jamlab.measure.sound_quality.music import piece
    >>> played = piece(1.0)
    >>> heard = np.concatenate([np.zeros((480, 2)), played])
    >>> round(align(played, heard).delay_frames, 2)
    480.0
    """
    _check(played, heard)
    rate, as_played = 1.0, heard
    delays = _window_delays(played, heard)
    for _ in range(_ROUNDS):
        drift = _drift(delays)
        if not drift:
            break
        rate *= 1 + drift
        as_played = np.asarray(resample(heard, 1 / rate, "sinc_best"), np.float64)
        delays = _window_delays(played, as_played)
    shifted = _shifted(as_played, signal.medfilt(delays, 3), len(played))
    return Aligned(played, shifted, float(np.median(delays)), rate - 1)


def _check(played: Sound, heard: Sound) -> None:
    for name, sound in (("played", played), ("heard", heard)):
        if sound.ndim != 2 or not len(sound):
            raise AlignmentError(f"the {name} sound has the shape {sound.shape}: give (frames, 2)")
        if not np.isfinite(sound).all():
            raise AlignmentError(f"the {name} sound has values that are not finite: repair it")
    if len(played) < 2 * WINDOW:
        least_s = 2 * WINDOW / SAMPLE_RATE
        raise AlignmentError(f"the played sound is too short: give {least_s:.2f} s or more")
    if played.shape[1] != heard.shape[1]:
        raise AlignmentError(
            f"the sounds have {played.shape[1]} and {heard.shape[1]} channels: give equally many"
        )


def _whole_delay(played: Sound, heard: Sound) -> int:
    """Return the delay of the excerpt that is heard best, in whole frames."""
    one, other = played.sum(axis=1), heard.sum(axis=1)
    length = min(_EXCERPT, len(one), len(other))
    starts = np.linspace(0, len(one) - length, _EXCERPTS).astype(int)
    found = [(start, *_peak(one[start : start + length], other)) for start in starts]
    start, at, alike = max(found, key=lambda each: each[2])
    if alike < _ALIKE:
        raise AlignmentError(
            "the heard sound is not the played one, or very little of it: check what was recorded"
        )
    return int(at - start)


def _window_delays(played: Sound, heard: Sound) -> NDArray[np.float64]:
    """Return the delay of each window."""
    starts = np.arange(0, len(played) - WINDOW + 1, _HOP)
    one, other, whole = played.sum(axis=1), heard.sum(axis=1), _whole_delay(played, heard)
    quiet = _QUIET * float(np.square(one).mean()) * WINDOW
    delays = np.full(len(starts), np.nan)
    for number, start in enumerate(starts.tolist()):
        window = one[start : start + WINDOW]
        if np.square(window).sum() > quiet:
            searched = _stretch(other, start + whole - _SEARCHED, WINDOW + 2 * _SEARCHED)
            delays[number] = whole - _SEARCHED + _found(window, searched)
    known = np.flatnonzero(np.isfinite(delays))
    if not len(known):
        raise AlignmentError("no part of the heard sound is the played one: check the recording")
    delays[:] = np.interp(np.arange(len(starts)), known, delays[known])
    return delays


def _found(window: NDArray[np.float64], searched: NDArray[np.float64]) -> float:
    """Return where a window lies in a longer stretch; NaN where it does not."""
    at, alike = _peak(window, searched)
    return at + _fraction(window, searched[at : at + len(window)]) if alike > _TRUSTED else math.nan


def _peak(window: NDArray[np.float64], searched: NDArray[np.float64]) -> tuple[int, float]:
    """Return the place in a longer stretch that is most like a window, and its coefficient.

    The coefficient is taken at half frames, too: half a frame off, the place of a bright sound is
    less like it than one a period away.
    """
    points = fft.next_fast_len(len(searched), real=True)
    spectrum = np.conj(fft.rfft(window, points)) * fft.rfft(searched, points)
    places = len(searched) - len(window) + 1
    correlation = 2 * fft.irfft(spectrum, 2 * points)[: 2 * places]
    power = np.concatenate([[0.0], np.cumsum(np.square(searched))])
    energy = np.repeat(power[len(window) :] - power[: -len(window)], 2)
    loud = np.maximum(energy, _QUIET * max(float(energy.max()), _LEAST_ENERGY))
    coefficient = correlation / np.sqrt(max(float(np.square(window).sum()), _LEAST_ENERGY) * loud)
    at = int(coefficient.argmax())
    return at // 2, float(coefficient[at])


def _fraction(window: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Return the fraction of a frame by which a window is later: the slope of the phase."""
    taper = signal.windows.hann(len(window))
    spectrum = np.conj(fft.rfft(window * taper)) * fft.rfft(found * taper)
    turn = 2 * np.pi * fft.rfftfreq(len(window))
    weight = np.abs(spectrum)
    slope = (weight * turn * np.angle(spectrum)).sum() / (weight * np.square(turn)).sum()
    return float(np.clip(-slope, -1.0, 1.0))


def _drift(delays: NDArray[np.float64]) -> float:
    """Return the slope of the delays between windows not far apart; 0 where it may be 0."""
    slopes = (delays[_APART:] - delays[:-_APART]) / (_APART * _HOP)
    if len(slopes) < _LEAST_SLOPES:
        return 0.0
    slope = float(np.median(slopes))
    spread = float(stats.median_abs_deviation(slopes, scale="normal"))
    error = spread / math.sqrt(len(slopes) / _APART)
    return slope if max(_DEVIATIONS * error, _LEAST_DRIFT) < abs(slope) < _MOST_DRIFT else 0.0


def _shifted(heard: Sound, delays: NDArray[np.float64], frames: int) -> Sound:
    """Return a sound in which every window begins earlier by its delay, cross-faded."""
    fade = signal.windows.hann(WINDOW, sym=False)[:, np.newaxis]
    result, weight = np.zeros((frames, heard.shape[1])), np.zeros((frames, 1))
    edge = signal.windows.tukey(WINDOW + 2 * _MARGIN, 2 * _MARGIN / (WINDOW + 2 * _MARGIN))
    turn = 2j * np.pi * fft.rfftfreq(len(edge))[:, np.newaxis]
    for number, delay in enumerate(delays):
        start, whole = number * _HOP, math.floor(delay)
        stretch = edge[:, np.newaxis] * _stretch(heard, start + whole - _MARGIN, len(edge))
        spectrum = fft.rfft(stretch, axis=0) * np.exp(turn * (delay - whole))
        window = fft.irfft(spectrum, len(edge), axis=0)[_MARGIN:-_MARGIN]
        result[start : start + WINDOW] += fade * window
        weight[start : start + WINDOW] += fade
    return np.divide(result, weight, out=np.zeros_like(result), where=weight > 1e-3)


def _stretch(sound: NDArray[np.float64], start: int, frames: int) -> NDArray[np.float64]:
    """Return a stretch of a sound, with silence before its beginning and after its end."""
    stretch = np.zeros((frames, *sound.shape[1:]))
    first, last = max(start, 0), min(start + frames, len(sound))
    if first < last:
        stretch[first - start : last - start] = sound[first:last]
    return stretch
