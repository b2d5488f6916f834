"""Commands of players as they are written by a user, with places for what differs by player."""

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePath

from jamlab.measure.latency.plan import PlanError

PLACES = {
    "player": "the player's name",
    "number": "the player's number, from 1",
    "peer": "the name of the next player; of two, the other one",
    "period": "the frames of a period",
    "port": "a free port, the same for all programs of a session",
    "own_port": "a free port for each program",
    "folder": "an empty folder for each program, removed afterwards",
}
"""Placeholders of a command, which stand in braces, and their values."""

_PLACE = re.compile(r"\{(" + "|".join(PLACES) + r")\}")
_ENVIRONMENT = re.compile(r"env|-\w|[A-Za-z_]\w*=.*")


def words_of(command: str) -> list[str]:
    """Return the words of a command; no shell reads it, but quotes mean what they mean there.

    Raises `PlanError` when there are none, or a quote is not closed.

    Examples
    --------
    >>> words_of("jamulus --clientname 'the {player}'")
    ['jamulus', '--clientname', 'the {player}']
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise PlanError(f"the command {command!r} cannot be read: {error}") from None
    if not words:
        raise PlanError("a command is empty: name the program that the player uses")
    return words


def filled(command: str, values: Mapping[str, object]) -> list[str]:
    """Return the words of a command with values in their places; other braces stay.

    Examples
    --------
    >>> filled("play '{player} {x}'", {"player": "ada"})
    ['play', 'ada {x}']
    """
    return [
        _PLACE.sub(lambda place: str(values.get(place[1], place[0])), word)
        for word in words_of(command)
    ]


def program_of(command: str) -> str:
    """Return the name of a command's program, without ``env`` before it.

    Examples
    --------
    >>> program_of("env HOME=/tmp /usr/bin/jamulus --nogui")
    'jamulus'
    """
    words = words_of(command)
    named = (word for word in words if not _ENVIRONMENT.fullmatch(word))
    return PurePath(next(named, words[0])).name
