"""Figures as text, with the digits that their intervals support.

The last digit is at most a third of the interval's width; a figure without an interval has three
digits. Digits are never finer than the unit's resolution, and there are more of them where rounding
would put the figure on its limit or beyond it.
"""

import math

RESOLUTIONS = {"%": 0.01, "dB": 0.01, "dBFS": 0.1, "ms": 0.01, "s": 0.01, "errors": 1.0}
"""The finest digit of a figure, by unit; a thousandth for other units."""

_DIGITS = 3
_SHARE_OF_WIDTH = 1 / 3
_MOST_PLACES = 6


def measured(value: float, low: float, high: float, unit: str, limit: float = math.nan) -> str:
    """Write a figure with its interval, e.g. "11.5 ms (11.3–11.7)".

    An exact value equals both ends; an unknown end is infinite, and a value that was not measured
    is NaN. The figure is judged by the limit, in the same unit; NaN without one.
    """
    if math.isnan(value):
        return "not measured"
    places = decimals(value, low, high, unit, limit)
    figure = f"{fixed(value, places)} {unit}"
    if low == high:
        return figure
    if math.isinf(low) and math.isinf(high):
        return f"{figure} (no interval)"
    return f"{figure} ({between(low, high, places)})"


def plain(value: float, unit: str) -> str:
    """Write a figure without an interval, e.g. "2.67 ms"."""
    return measured(value, value, value, unit)


def duration(low_s: float, high_s: float) -> str:
    """Write the ends of a duration: "639 to 641 ms", and from a second on "1.2 to 1.41 s"."""
    factor, unit = (1000, "ms") if high_s < 1 else (1, "s")
    return f"{factor * low_s:.3g} to {factor * high_s:.3g} {unit}"


def over(value: float, unit: str, limit: float) -> str:
    """Write a figure without an interval, with enough digits to show that it exceeds a limit."""
    return measured(value, value, value, unit, limit=math.nextafter(limit, math.inf))


def between(low: float, high: float, places: int) -> str:
    """Write an interval, e.g. "11.3–11.7"; with "to" if an end has a minus sign."""
    dash = " to " if low < 0 else "–"
    return f"{fixed(low, places)}{dash}{fixed(high, places)}"


def decimals(value: float, low: float, high: float, unit: str = "", limit: float = math.nan) -> int:
    """Return the number of decimals for a figure and its interval.

    Parameters as in `measured`. The rounded figures stay on their side of the limit: 49.97 ms is
    below a limit of 50 ms, and "50.0 ms" would not be. Nor is 50.03 ms written as the limit itself.
    """
    shown = [number for number in (value, low, high) if math.isfinite(number)]
    places = _places(value, low, high, unit)
    while places < _MOST_PLACES and any(_crosses(number, places, limit) for number in shown):
        places += 1
    return places


def fixed(value: float, places: int) -> str:
    """Write a number with `places` decimals and a true minus sign, which zero never has."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def _places(value: float, low: float, high: float, unit: str) -> int:
    finest = -_exponent(RESOLUTIONS.get(unit, 0.001))
    if math.isfinite(low) and math.isfinite(high) and high > low:
        return min(max(-_exponent((high - low) * _SHARE_OF_WIDTH), 0), finest)
    if not math.isfinite(value) or value == round(value):
        return 0
    return min(max(_DIGITS - 1 - _exponent(abs(value)), 0), finest)


def _exponent(number: float) -> int:
    """Return the power of ten of a number's first digit."""
    return math.floor(math.log10(number) + 1e-9)  # a logarithm may round to below a whole number


def _crosses(number: float, places: int, limit: float) -> bool:
    written = round(number, places)
    return (number < limit) != (written < limit) or (written == limit != number)
