"""A live session in a notebook: the command to join it, and a journal of its events."""

import shlex
from html import escape

import pandas as pd
from IPython.display import HTML

from jamlab.mesh.connection.events import ConnectionStateChange
from jamlab.mesh.notices import Notice
from jamlab.report.page.tables import LiteralFrame, literal_html
from jamlab.signaling.endpoint import KEY_VARIABLE


class Journal:
    """The events of a session; register `note` as a listener."""

    def __init__(self) -> None:
        self._entries: list[Notice | ConnectionStateChange] = []

    def note(self, event: Notice | ConnectionStateChange) -> None:
        """Add an event."""
        self._entries.append(event)

    def table(self) -> pd.DataFrame:
        """Return a row per event.

        ``at_s`` (seconds since the first), ``peer``, ``what`` (a connection's state, or
        ``"notice"``) and ``words`` (the reason, or the notice's text).
        """
        began_s = self._entries[0].at_s if self._entries else 0.0
        rows = [(round(entry.at_s - began_s, 3), *_words(entry)) for entry in self._entries]
        return LiteralFrame(rows, columns=["at_s", "peer", "what", "words"])


def _words(entry: Notice | ConnectionStateChange) -> tuple[str, str, str]:
    if isinstance(entry, Notice):
        return entry.peer_id, "notice", entry.text
    return entry.peer_id, entry.state.value, entry.reason


def invitation(room: str, hub: str) -> HTML:
    """Return the command with which another machine joins a room and echoes, ready to copy."""
    command = f"{KEY_VARIABLE}=… {shlex.join(['jamlab', 'join', room, '--hub', hub, '--echo'])}"
    words = "To join from another machine, with the key in place of the dots:"
    return literal_html(f"<p>{words}</p><pre>{escape(command)}</pre>")
