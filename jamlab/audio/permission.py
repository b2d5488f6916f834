"""The user's permission to use this machine's microphone.

Nothing is captured before the user allows it. The user interface (a command, a widget) makes one
`MicrophoneAccess` and passes it to every card the session opens. The answer is kept in that object
only, so another kernel or another command asks again. The states are those of the W3C's Permissions
API §3, and one more: a user who only wants to listen has answered, and has not refused anything.

In a browser the microphone is on the user's machine. Here it is on the machine this process runs
on, which for a notebook may be a server: the question has to name that machine.
"""

from enum import StrEnum

from jamlab.audio.card import MicrophoneUnavailableError

REQUIRED = "Microphone access is required for jamming"
"""The product's sentence."""


class PermissionState(StrEnum):
    """State of the permission."""

    PROMPT = "prompt"
    """The user has not answered yet."""
    GRANTED = "granted"
    DENIED = "denied"
    LISTEN_ONLY = "listen only"


_WHY_NOT = {
    PermissionState.PROMPT: "the user has not been asked",
    PermissionState.DENIED: "it was denied",
    PermissionState.LISTEN_ONLY: "listening only was chosen",
}


class MicrophoneAccess:
    """The user's answer; a change applies from the next opening of a card.

    `input_device` is the chosen input, as `jamlab.audio.portaudio.device_named` takes it; None for
    the card's default.
    """

    def __init__(self) -> None:
        self.state = PermissionState.PROMPT
        self.input_device: str | int | None = None

    @classmethod
    def granted(cls, input_device: str | int | None = None) -> "MicrophoneAccess":
        """Return an access that is granted, for programs that asked the user in another way."""
        access = cls()
        access.allow(input_device)
        return access

    def allow(self, input_device: str | int | None = None) -> None:
        """Allow the use of a microphone."""
        self.state, self.input_device = PermissionState.GRANTED, input_device

    def deny(self) -> None:
        """Forbid the use of a microphone."""
        self.state, self.input_device = PermissionState.DENIED, None

    def listen_only(self) -> None:
        """Take part without a microphone."""
        self.state, self.input_device = PermissionState.LISTEN_ONLY, None

    def check(self) -> None:
        """Raise `MicrophoneUnavailableError`, with the reason, unless a microphone may be used."""
        if self.state is not PermissionState.GRANTED:
            raise MicrophoneUnavailableError(f"{REQUIRED}: {_WHY_NOT[self.state]}")
