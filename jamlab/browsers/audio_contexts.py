"""Audio contexts of the pages under test, and what is worth knowing about them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_RATE_HZ = 48_000


def context_remarks(contexts: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """Return remarks on the audio contexts of each player's page, as sentences without a stop.

    A context has its ``state``; the rate in Hz that the page ``wanted``, None without a wish; and
    whether the browser of a user would let it run, ``allowed``: whether it was made or resumed
    after a click or a key.

    Examples
    --------
    >>> context_remarks({"ada": [{"wanted": 44_100, "state": "running", "allowed": True}]})
    ['the page of ada asks for an AudioContext at 44100 Hz: the browser resamples its sound']
    """
    players = dict[str, list[str]]()
    for player, theirs in contexts.items():
        for remark in _remarks([each for each in theirs if each["state"] != "closed"]):
            players.setdefault(remark, []).append(player)
    return [f"the page of {' and '.join(who)} {remark}" for remark, who in players.items()]


def _remarks(contexts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for rate in sorted({each["wanted"] or _RATE_HZ for each in contexts} - {_RATE_HZ}):
        yield f"asks for an AudioContext at {rate:.0f} Hz: the browser resamples its sound"
    if len(contexts) > 1:
        yield (
            f"uses {len(contexts)} AudioContexts, each with buffers of its own: a click counts "
            "where it is heard first"
        )
    if any(each["state"] == "suspended" for each in contexts):
        yield "has an AudioContext that is suspended, which plays nothing: resume() it"
    if not all(each["allowed"] for each in contexts):
        yield (
            "made an AudioContext before any click or key: it runs here, but a user's browser "
            "suspends it until the page calls resume() after one"
        )
