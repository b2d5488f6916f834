"""May this machine's microphone be used? What a user said, for as long as the session lasts.

Nothing is captured before somebody allowed it. A `MicrophoneAccess` is made once by whoever has the
user before them (a command, a widget), and handed to every card the session opens; its answer is
remembered there and nowhere else, so another kernel or another command asks again. The states are
those of the W3C's Permissions API §3, and one more: who only wants to listen has been asked, and
has not refused anything.

The browser's microphone is the user's. Ours is that of the machine this process runs on, which in
a notebook may be a server in another room: whoever asks has to say which.
"""

from enum import StrEnum

from jamlab.audio.card import MicrophoneUnavailableError

REQUIRED = "Microphone access is required for jamming"
"""The product's sentence."""


class PermissionState(StrEnum):
    """What has become of the question."""

    PROMPT = "prompt"
    """Nobody was asked yet."""
    GRANTED = "granted"
    DENIED = "denied"
    LISTEN_ONLY = "listen only"


_WHY_NOT = {
    PermissionState.PROMPT: "nobody has been asked",
    PermissionState.DENIED: "it was denied",
    PermissionState.LISTEN_ONLY: "listening only was chosen",
}


class MicrophoneAccess:
    """The user's answer; it can be changed at any time, and counts from the next opening on.

    Attributes
    ----------
    state : PermissionState
        What was answered.
    input_device : str or int, optional
        Which input was chosen with it, as `jamlab.audio.portaudio.device_named` takes it; None for
        the card's own choice.
    """

    def __init__(self) -> None:
        self.state = PermissionState.PROMPT
        self.input_device: str | int | None = None

    @classmethod
    def granted(cls, input_device: str | int | None = None) -> "MicrophoneAccess":
        """Return one that is allowed: for programs whose user has said so elsewhere."""
        access = cls()
        access.allow(input_device)
        return access

    def allow(self, input_device: str | int | None = None) -> None:
        """Let a microphone be used."""
        self.state, self.input_device = PermissionState.GRANTED, input_device

    def deny(self) -> None:
        """Let none be used."""
        self.state, self.input_device = PermissionState.DENIED, None

    def listen_only(self) -> None:
        """Take part without one."""
        self.state, self.input_device = PermissionState.LISTEN_ONLY, None

    def check(self) -> None:
        """Check that a microphone may be used.

        Raises
        ------
        MicrophoneUnavailableError
            When it may not, with what was answered.
        """
        if self.state is not PermissionState.GRANTED:
            raise MicrophoneUnavailableError(f"{REQUIRED}: {_WHY_NOT[self.state]}")
