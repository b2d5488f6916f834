"""Scores of a heard sound that is aligned with the played one: SINAD, and zimtohrli's.

*SINAD* is the power of the played sound over that of everything else in the heard one, each
window's own level apart. Of the windows the median counts: what single gaps cost is in the
concealed share and in zimtohrli's figure, which hears all of them.

*Zimtohrli* compares the sounds by a model of the ear (Google, Apache-2.0). It gives 5 for no
audible difference, and less the more there is. It ranks encodings and losses of the same piece; it
is no mean opinion score, for which people have to listen.
"""

import math
from collections.abc import Callable

import numpy as np

from jamlab.measure.sound_quality.alignment import WINDOW, Aligned, Sound

_QUIET_DB = -60.0  # below the loudest window: says nothing of the sound
_MOST_DB = 120.0


def sinad_db(aligned: Aligned) -> float:
    """Return the SINAD of the median window, in dB; NaN for silence."""
    count = len(aligned.played) // WINDOW - 1
    starts = WINDOW // 2 + WINDOW * np.arange(count)  # both ends are faded
    played = [aligned.played[start : start + WINDOW] for start in starts]
    heard = [aligned.heard[start : start + WINDOW] for start in starts]
    powers = [float(np.square(window).sum()) for window in played]
    audible = max(powers, default=0.0) * 10 ** (_QUIET_DB / 10)
    found = [
        _sinad_db(*windows)
        for *windows, power in zip(played, heard, powers, strict=True)
        if power > audible
    ]
    return float(np.median(found)) if found else math.nan


def _sinad_db(played: Sound, heard: Sound) -> float:
    """Return the SINAD of a window; its level is the one at which the rest is least."""
    level = float((played * heard).sum() / np.square(played).sum())
    signal = level**2 * float(np.square(played).sum())
    rest = float(np.square(heard - level * played).sum())
    if rest <= signal * 10 ** (-_MOST_DB / 10):
        return _MOST_DB
    return max(10 * math.log10(max(signal, 1e-30) / rest), -_MOST_DB)


def zimtohrli(aligned: Aligned) -> float:
    """Return zimtohrli's figure, 1 to 5, of the worse channel; NaN where the library is lacking."""
    distance = _distance()
    if distance is None:
        return math.nan
    from zimtohrli import mos_from_zimtohrli

    pairs = zip(aligned.played.T, aligned.heard.T, strict=True)
    worst = max(distance(played.copy(), heard.copy()) for played, heard in pairs)
    return float(mos_from_zimtohrli(worst))


def _distance() -> Callable[..., float] | None:
    """Return zimtohrli's comparison; None on machines for which there is no package."""
    try:
        from zimtohrli import Pyohrli
    except ImportError:
        return None
    compare: Callable[..., float] = Pyohrli().distance
    return compare
