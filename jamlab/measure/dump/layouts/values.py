"""Values of a dump, which anything may have written: numbers, text and objects of known type.

A dump is read for what it has. A value of another type than expected counts as missing, and no text
reaches a table that a page, a terminal or a Parquet file could not hold.
"""

import json
import math
import re
from typing import Any

LONGEST = 20_000
"""Characters of a text that are kept; an SDP of many tracks is shorter."""

_LARGEST = 1e18  # no counter of a call; larger ones would overflow in what is computed of them
_SMALLEST = 1e-30
_EARLIEST_MS, _LATEST_MS = 1e12, 4.1e12  # the years 2001 and 2099, as Unix time
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def number(value: object) -> float:
    """Return a number of a call as float; NaN for anything else, also true and false."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        converted = float(value)
    except OverflowError:
        return math.nan
    if not abs(converted) < _LARGEST:
        return math.nan
    return converted if abs(converted) > _SMALLEST else 0.0


def unix_s(value: object) -> float:
    """Return milliseconds of Unix time as seconds; NaN for what is no time of a call."""
    milliseconds = number(value)
    return milliseconds / 1000 if _EARLIEST_MS < milliseconds < _LATEST_MS else math.nan


def text(value: object, most: int = LONGEST) -> str:
    """Return text, or any other value as JSON, without control characters; "" for None."""
    if value is None:
        return ""
    written = value if isinstance(value, str) else _as_json(value)
    if len(written) > most:
        written = f"{written[:most]}…"
    return _CONTROL.sub("\ufffd", written.encode("utf-8", "replace").decode())


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (RecursionError, ValueError):
        return "…"


def fields(value: object) -> dict[str, Any]:
    """Return a JSON object; {} for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return a JSON array; [] for anything else."""
    return value if isinstance(value, list) else []


def decoded(value: object) -> Any:
    """Return the content of text that is JSON; any other value as it is."""
    if not isinstance(value, str) or not value:
        return value
    try:
        return json.loads(value)
    except (RecursionError, ValueError):
        return value
