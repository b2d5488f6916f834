"""Logger for the WebSocket library that writes no keys, and ignores sockets that end unanswered."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

from websockets.exceptions import ConnectionClosed

# A browser closes sockets that it opened in advance, at times after it has sent a request by one.
# The library then asserts that it has not closed the socket itself, when it answers.
_ENDED = EOFError, ConnectionError, TimeoutError, ConnectionClosed, AssertionError


class QuietLog(logging.LoggerAdapter[logging.Logger]):
    """Logger without records that may quote a request with its key.

    Nor are there any about sockets that ended before they were answered: browsers open some in
    advance.
    """

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 (logging's own name)
        """Return whether a level is logged."""
        return level > logging.DEBUG and super().isEnabledFor(level)

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """Write a record, unless it is about a socket that ended before its answer."""
        if not _is_silence(sys.exception()):
            super().log(level, msg, *args, **kwargs)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, Any]:
        """Take the exception out of a record."""
        return msg, {**kwargs, "exc_info": None}


def _is_silence(error: BaseException | None) -> bool:
    """Return whether an exception says that a socket ended or timed out before its answer."""
    while error is not None:
        if isinstance(error, _ENDED):
            return True
        error = error.__cause__
    return False
