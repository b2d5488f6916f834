"""The request for the microphone at a terminal; in a notebook a widget does the same."""

import argparse
import socket
import sys
from collections.abc import Callable, Iterable, Sequence

from rich.console import Console
from rich.prompt import InvalidResponse, PromptBase
from rich.table import Table

from jamlab.audio.permission import REQUIRED, MicrophoneAccess
from jamlab.audio.portaudio import Device, DeviceError, device_named, devices
from jamlab.terminal import literal

ANSWERS: dict[str, Callable[[MicrophoneAccess], None]] = {
    "allow": MicrophoneAccess.allow,
    "deny": MicrophoneAccess.deny,
    "listen-only": MicrophoneAccess.listen_only,
}
OR_NOTHING = "allow", "deny"
"""The possible answers where the command does nothing without the microphone."""


class MicrophoneError(RuntimeError):
    """Raised when there is no answer whether the microphone may be used."""


def add_argument(parser: argparse.ArgumentParser, answers: Iterable[str] = ANSWERS) -> None:
    """Add the option that answers the request in advance, with some of `ANSWERS`."""
    parser.add_argument(
        "--microphone", choices=[*answers], help="answer in advance (default: asked at a terminal)"
    )


def microphone_access(
    answer: str | None, wanted: str | None, answers: Iterable[str] = ANSWERS
) -> MicrophoneAccess:
    """Return the user's answer, after a question at the terminal if it was not given.

    `answers` are the offered ones of `ANSWERS`; an input named by `wanted` is not asked for. Raises
    `MicrophoneError` when the answer was not given and there is no terminal, or no answer came.
    """
    access = MicrophoneAccess()
    if answer is not None:
        ANSWERS[answer](access)
        return access
    offered = [*answers]
    say_so = f"give --microphone {_one_of(offered)}"
    if not sys.stdin.isatty():
        raise MicrophoneError(f"{REQUIRED}, and there is no terminal to ask at: {say_so}")
    try:
        _ask(access, wanted, offered, Console(stderr=True, emoji=False))
    except EOFError:
        raise MicrophoneError(f"{REQUIRED}, and no answer came: {say_so}") from None
    return access


def _one_of(answers: Sequence[str]) -> str:
    return f"{', '.join(answers[:-1])} or {answers[-1]}"


def _ask(
    access: MicrophoneAccess, wanted: str | None, answers: list[str], console: Console
) -> None:
    inputs, problem = _inputs()
    machine = socket.gethostname()
    console.print(f"{REQUIRED}.", style="bold", highlight=False)
    console.print(literal(f"It is the microphone of the machine this runs on, {machine}."))
    console.print(_listed(inputs) if inputs else literal(problem))
    question = f"{_one_of(answers).replace('-', ' ').capitalize()}?"
    ANSWERS[AnswerPrompt.ask(question, console=console, choices=answers)](access)
    if access.state == "granted" and wanted is None and len(inputs) > 1:
        access.allow(_choice(inputs, console))


def _inputs() -> tuple[Sequence[Device], str]:
    """Return the inputs, and a sentence for the user if there are none."""
    try:
        return devices("input"), "There is no input device now: plug one in."
    except DeviceError as error:
        return [], f"{error}."


def _listed(inputs: Sequence[Device]) -> Table:
    table = Table("", "input", "channels", "by", box=None)
    for place, device in enumerate(inputs, 1):
        host = device.title.removeprefix(f"{device.name}, ")
        table.add_row(str(place), literal(device.name), str(device.channels), literal(host))
    return table


def _choice(inputs: Sequence[Device], console: Console) -> str:
    """Ask for an input by its place in the list; returns its title, which is kept."""
    default = device_named(None, "input").title
    titles = [device.title for device in inputs]
    prompt = InputPrompt("Which input?", console=console)
    prompt.known = range(1, len(titles) + 1)
    place = titles.index(default) + 1 if default in titles else 1
    return titles[prompt(default=place) - 1]


class AnswerPrompt(PromptBase[str]):
    """A prompt for the beginning of an answer, in any case: ``a``, ``Deny``, ``listen only``."""

    prompt_suffix = " "

    def process_response(self, value: str) -> str:
        """Return the answer that begins so; raise `InvalidResponse` if none does."""
        typed = value.strip().casefold().replace(" ", "-").replace("_", "-")
        offered = self.choices or []
        fitting = [answer for answer in offered if typed and answer.startswith(typed)]
        if len(fitting) != 1:
            raise InvalidResponse(f"Type one of {', '.join(offered)}, or its beginning.")
        return fitting[0]


class InputPrompt(PromptBase[int]):
    """A prompt for the number of an input."""

    known: Sequence[int] = ()

    def process_response(self, value: str) -> int:
        """Return the number; raise `InvalidResponse` if there is no such input."""
        typed = value.strip()
        if not (typed.isascii() and typed.isdecimal() and int(typed[:9]) in self.known):
            raise InvalidResponse(f"Type one of {', '.join(map(str, self.known))}.")
        return int(typed[:9])
